// The SIMD kernels as functions, on a shared WebAssembly memory; and a small heap of float vectors on one.

import { readFileSync } from "node:fs";
import { PlumeError } from "../errors.ts";
import { asset } from "../root.ts";
import type { Layout, Shard } from "../tensor/layout.ts";
import type { TreeNode, WireCall } from "../wire/codec.ts";
import { EXACT, type Wire } from "../wire/index.ts";
import { vectorStride } from "./group.ts";

/** Pointers are byte offsets, 16-byte aligned; n counts floats, a multiple of 4. See assembly/index.ts. */
interface Kernels {
  add(out: number, left: number, right: number, n: number): void;
  squaredNorm(a: number, n: number): number;
  firstNonFinite(a: number, n: number): number;
  digest(a: number, n: number, seed: bigint): bigint;
  ema(e: number, p: number, n: number, decay: number): void;
}

const PAGE = 65536;
const MAX_PAGES = 65536;

/** WebAssembly memory of at least `bytes`, in pages of 64 KiB, shared between threads; it may grow to 4 GiB. */
export function createSharedMemory(bytes: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(bytes / PAGE)), maximum: MAX_PAGES, shared: true });
}

/** Grows the memory to hold `bytes`. Views on the old buffer stay valid. @throws PlumeError RESOURCE_EXHAUSTED past 4 GiB. */
export function ensureCapacity(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw new PlumeError(
      "RESOURCE_EXHAUSTED",
      `${bytes} bytes of vectors do not fit in one WebAssembly memory of 4 GiB`,
      { cause },
    );
  }
}

function openKernels(memory: WebAssembly.Memory): Kernels {
  const module = new WebAssembly.Module(readFileSync(asset("shared/kernels/kernels.wasm")));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}

/**
 * The digest of a sharded vector: each shard's, seeded with its index, chained in that order. 16 hex digits.
 * Shards may be digested side by side.
 */
export function chainDigests(shards: readonly bigint[]): string {
  let hash = 0n;
  for (const digest of shards) hash = BigInt.asUintN(64, (hash ^ digest) * 0xff51afd7ed558ccdn) ^ (hash >> 31n);
  return hash.toString(16).padStart(16, "0");
}

/** Vectors of one layout on one memory, for a process that sums locally: a worker's compute thread. */
export interface VectorHeap {
  readonly kernels: Kernels;
  allocate(): HeapVector;
  release(vector: HeapVector): void;
  /** out = left + right; out may be either operand. */
  add(out: HeapVector, left: HeapVector, right: HeapVector): void;
  /** To values that the wire carries. */
  round(vector: HeapVector, node: TreeNode): void;
  digest(vector: HeapVector): string;
  /** What the wire carries of a rounded vector, shard by shard: views on its memory, whose floats are gone. */
  encode(vector: HeapVector): Uint8Array[];
}

export interface HeapVector {
  readonly pointer: number;
  /** float32 [layout.size] on shared memory. */
  readonly floats: Float32Array;
}

/** @throws PlumeError RESOURCE_EXHAUSTED from allocate(), when its vectors fill 4 GiB. */
export function createVectorHeap(layout: Layout, wire: Wire = EXACT): VectorHeap {
  const stride = vectorStride(layout.size * 4);
  const memory = createSharedMemory(stride);
  const kernels = openKernels(memory);
  const free: HeapVector[] = [];
  let top = 16; // 0 stays unused, as a null pointer
  const place = ({ pointer }: HeapVector, { offset, size }: Shard) => ({ pointer: pointer + offset * 4, size, offset });
  const call = ([name, ...args]: WireCall) =>
    (kernels as unknown as Record<string, (...args: number[]) => void>)[name]!(...args);
  return {
    kernels,
    allocate() {
      const reused = free.pop();
      if (reused) return reused;
      const pointer = top;
      ensureCapacity(memory, pointer + stride);
      top += stride;
      return { pointer, floats: new Float32Array(memory.buffer, pointer, layout.size) };
    },
    release: (vector) => void free.push(vector),
    add: (out, left, right) => kernels.add(out.pointer, left.pointer, right.pointer, layout.size),
    round(vector, node) {
      for (const shard of layout.shards) for (const one of wire.round(place(vector, shard), node)) call(one);
    },
    digest: ({ pointer }) =>
      chainDigests(
        layout.shards.map(({ index, offset, size }) => kernels.digest(pointer + offset * 4, size, BigInt(index))),
      ),
    encode: (vector) =>
      layout.shards.map((shard) => {
        const at = place(vector, shard);
        for (const one of wire.encode(at)) call(one);
        return new Uint8Array(memory.buffer, at.pointer, wire.bytes(shard.size));
      }),
  };
}
