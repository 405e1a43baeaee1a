// The contract of some shards of every vector, and of the threads that compute on them: in this process (local-group.ts),
// or in one of their own (coordinator/reducers). A vector is a number; where its shards lie in the memories of the
// group's threads follows from that number alone, so that whoever orders a kernel can say on which bytes.
//
// I1. Shard j of a group lives in the memory of thread j mod T, and only that thread computes on it.
// I2. In each memory a vector is the run of its shards, and vectors follow one another at strides that are no power of
//     two; 0 stays unused.

import type { Shard } from "../tensor/layout.ts";

export type KernelCall = readonly [name: string, ...args: (number | bigint | boolean)[]];
export type KernelResult = number | bigint | undefined;

/** Bytes of a shard in its thread's memory, and their position in a file that holds the whole vector. */
export interface Region {
  /** Index of the shard in the layout. */
  readonly shard: number;
  readonly pointer: number;
  readonly bytes: number;
  readonly position: number;
}

/** Where bytes come from. */
export type Source =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "chunks"; readonly chunks: AsyncIterable<Uint8Array> }
  /** The group's process gets them itself, in a call that has this key. */
  | { readonly kind: "push"; readonly key: string };

export interface ShardGroup extends AsyncDisposable {
  readonly shards: readonly Shard[];
  readonly threads: number;
  /** Vectors 0 to count - 1 exist from now on. */
  reserve(count: number): void;
  /** Runs kernels on every shard of the group, in order. @returns the last one's result, by shard of the group. */
  run(calls: readonly (readonly KernelCall[])[]): Promise<KernelResult[]>;
  /** @returns bytes that came. */
  fill(regions: readonly Region[], source: Source, signal?: AbortSignal): Promise<number>;
  /** Writes regions at their positions. */
  save(regions: readonly Region[], file: string): Promise<void>;
  /** Copies regions to their positions in `into`. */
  read(regions: readonly Region[], into: Uint8Array): Promise<void>;
  /** Fills regions from their positions in `bytes`. */
  write(regions: readonly Region[], bytes: Uint8Array): Promise<void>;
}

const FIRST = 16;
const PAGE = 65536;
/** Where one kernel walks several vectors, the same index must not be the same cache set and memory bank in each of them. */
const STAGGER = 3 * 4096 + 3 * 64;

/** Bytes from a vector of this memory to the next. AdamW over five vectors takes a third of the time that it takes without the stagger. */
export const vectorStride = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE + STAGGER;

export interface Addresses {
  /** Thread of a shard. */
  thread(shard: Shard): number;
  /** First byte of a vector's shard in its thread's memory; 16-byte aligned. */
  pointer(vector: number, shard: Shard): number;
  /** Bytes of a thread's memory with so many vectors. */
  capacity(vectors: number, thread: number): number;
}

export function addressesOf(shards: readonly Shard[], threads: number): Addresses {
  const bytes = Array.from({ length: threads }, () => 0);
  const places = new Map<number, { readonly thread: number; readonly start: number }>();
  for (const [j, { index, size }] of shards.entries()) {
    const thread = j % threads;
    places.set(index, { thread, start: bytes[thread]! });
    bytes[thread]! += size * 4;
  }
  const strides = bytes.map(vectorStride);
  return {
    thread: ({ index }) => places.get(index)!.thread,
    pointer(vector, { index }) {
      const { thread, start } = places.get(index)!;
      return FIRST + vector * strides[thread]! + start;
    },
    capacity: (vectors, thread) => FIRST + vectors * strides[thread]!,
  };
}
