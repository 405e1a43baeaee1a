// The flat parameter vector: where each named tensor lives in it, and how it is cut into shards.
//
// I1. A tensor's offset is a multiple of 4 floats (16 bytes), so every view is SIMD-aligned; padding floats stay 0.
// I2. A shard is a contiguous range of whole tensors: kernels, transfers and checkpoint parts are all per shard.
// I3. The layout is a pure function of the specs: every process computes the same one, and its digest proves it.

import { createHash } from "node:crypto";

/** A parameter that a network declares. Shapes: conv HWIO, dense [in, out], gain and bias [C], embedding [rows, dim]. */
export interface ParamSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Init;
}

/** `uniform` draws from [-scale, scale), `normal` from N(0, scale^2). */
export type Init =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly scale: number }
  | { readonly kind: "normal"; readonly scale: number };

export interface PlacedTensor extends ParamSpec {
  /** First float in the flat vector. */
  readonly offset: number;
  /** Floats, without padding. */
  readonly size: number;
}

/** A run of whole tensors in the flat float32 vector. */
export interface Shard {
  readonly index: number;
  readonly offset: number;
  /** Floats, with padding; a multiple of 4. */
  readonly size: number;
  readonly tensors: readonly PlacedTensor[];
}

export interface Layout {
  readonly tensors: readonly PlacedTensor[];
  readonly shards: readonly Shard[];
  /** Floats of the whole vector, with padding. */
  readonly size: number;
  /** Floats that are parameters, without padding. */
  readonly parameters: number;
  /** sha256 of names, shapes and shard bounds. */
  readonly digest: string;
}

/** Floats [from, to) of the flat vector, whole tensors with their padding. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The tensors whose names begin so, which lie together. */
export function spanOf({ tensors, size }: Layout, prefix: string): Span {
  const first = tensors.findIndex(({ name }) => name.startsWith(prefix));
  const last = tensors.findLastIndex(({ name }) => name.startsWith(prefix));
  return { from: tensors[first]!.offset, to: tensors[last + 1]?.offset ?? size };
}

/** 2 Mi floats = 8 MiB a shard: large enough to stream well, small enough to spread over threads and processes. */
const SHARD_FLOATS = 2 * 1024 * 1024;

const ALIGN = 4;

/** Values of a tensor of this shape; 1 of a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/**
 * Lays tensors one after the other, each at a multiple of 4 floats, and cuts shards between whole tensors.
 * @param shardFloats the most that a shard holds, but for a tensor that is larger alone.
 */
export function buildLayout(specs: readonly ParamSpec[], shardFloats: number = SHARD_FLOATS): Layout {
  const tensors: PlacedTensor[] = [];
  const shards: Shard[] = [];
  let current: PlacedTensor[] = [];
  let shardStart = 0;
  let cursor = 0;
  const closeShard = () => {
    if (current.length === 0) return;
    shards.push({ index: shards.length, offset: shardStart, size: cursor - shardStart, tensors: current });
    current = [];
    shardStart = cursor;
  };
  for (const spec of specs) {
    const size = sizeOf(spec.shape);
    const padded = Math.ceil(size / ALIGN) * ALIGN;
    if (cursor + padded - shardStart > shardFloats) closeShard();
    const placed: PlacedTensor = { ...spec, offset: cursor, size };
    tensors.push(placed);
    current.push(placed);
    cursor += padded;
  }
  closeShard();
  const parameters = tensors.reduce((sum, t) => sum + t.size, 0);
  const hash = createHash("sha256");
  for (const t of tensors) hash.update(`${t.name}:${t.shape.join("x")}@${t.offset}\n`);
  for (const s of shards) hash.update(`shard ${s.offset}+${s.size}\n`);
  return { tensors, shards, size: cursor, parameters, digest: hash.digest("hex") };
}
