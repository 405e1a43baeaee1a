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

/**
 * The shards of a vector with these tensors, padding 0.
 * @throws PlumeError FAILED_PRECONDITION naming the first that is missing or of another size.
 */
export function shardsOf(layout: Layout, values: ReadonlyMap<string, Float32Array>): Float32Array[] {
  for (const tensor of layout.tensors) {
    const value = values.get(tensor.name);
    if (!value || value.length !== tensor.size)
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `tensor ${tensor.name} has ${value?.length ?? "no"} values, the model wants ${tensor.size}`,
        { remedy: "these weights are of another model: use the job that wrote them" },
      );
  }
  return layout.shards.map(({ offset, size, tensors }) => {
    const floats = new Float32Array(size);
    for (const tensor of tensors) floats.set(values.get(tensor.name)!, tensor.offset - offset);
    return floats;
  });
}

/** Tensors by name as one flat vector, float32 [layout.size], padding 0. @param flat where it goes: fresh memory when absent. */
export function packed(
  layout: Layout,
  valuesOf: (name: string) => Float32Array,
  flat: Float32Array = new Float32Array(layout.size),
): Float32Array {
  for (const { name, offset } of layout.tensors) flat.set(valuesOf(name), offset);
  return flat;
}

/** The whole vector as one flat array, padding included: a copy. */
export function flatten(layout: Layout, vector: Sharded): Float32Array {
  const flat = new Float32Array(layout.size);
  for (const { index, offset } of layout.shards) flat.set(vector.shard(index), offset);
  return flat;
}
