// Named tensors in and out of sharded flat vectors.

import type { Layout, PlacedTensor } from "./layout.ts";

interface Sharded {
  shard(index: number): Float32Array;
}

/** The tensor's floats inside a sharded vector: a view. */
export function tensorView(layout: Layout, vector: Sharded, tensor: PlacedTensor): Float32Array {
  const shard = layout.shards.find((s) => tensor.offset >= s.offset && tensor.offset < s.offset + s.size)!;
  const start = tensor.offset - shard.offset;
  return vector.shard(shard.index).subarray(start, start + tensor.size);
}

/** The whole vector as one flat array, padding included: a copy. */
export function flatten(layout: Layout, vector: Sharded): Float32Array {
  const flat = new Float32Array(layout.size);
  for (const { index, offset } of layout.shards) flat.set(vector.shard(index), offset);
  return flat;
}
