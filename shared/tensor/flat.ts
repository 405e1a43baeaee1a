// Named tensors in and out of sharded flat vectors.

import { PlumeError } from "../errors.ts";
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

/** Copies every tensor of the layout from `values`; padding becomes 0. @throws PlumeError FAILED_PRECONDITION naming the first that is missing or of another size. */
export function setTensors(layout: Layout, vector: Sharded, values: ReadonlyMap<string, Float32Array>): void {
  for (const tensor of layout.tensors) {
    const value = values.get(tensor.name);
    if (!value || value.length !== tensor.size)
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `tensor ${tensor.name} has ${value?.length ?? "no"} values, the model wants ${tensor.size}`,
      );
  }
  for (const shard of layout.shards) vector.shard(shard.index).fill(0);
  for (const tensor of layout.tensors) tensorView(layout, vector, tensor).set(values.get(tensor.name)!);
}

/** The whole vector as one flat array, padding included: a copy. */
export function flatten(layout: Layout, vector: Sharded): Float32Array {
  const flat = new Float32Array(layout.size);
  for (const { index, offset } of layout.shards) flat.set(vector.shard(index), offset);
  return flat;
}
