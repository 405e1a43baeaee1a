// Nested arrays of golden files to tensors and back.

import * as tf from "@tensorflow/tfjs-core";

export type Nested = number | readonly Nested[];

export function shapeOf(nested: Nested): number[] {
  const shape: number[] = [];
  for (let node = nested; Array.isArray(node); node = node[0] as Nested) shape.push(node.length);
  return shape;
}

export const flat = (nested: Nested): number[] => (typeof nested === "number" ? [nested] : nested.flatMap(flat));

export const tensorOf = (nested: unknown): tf.Tensor =>
  tf.tensor(flat(nested as Nested), shapeOf(nested as Nested), "float32");

/** A seeded-formula table (see the vectors' notes): name to tensor values. */
interface WeightTable {
  readonly rows: readonly (readonly [
    name: string,
    kind: string,
    shape: readonly number[],
    scale: number,
    seed: number,
    offset: number,
  ])[];
}

export function formulaWeights(table: unknown): { name: string; shape: readonly number[]; values: Float32Array }[] {
  return (table as WeightTable).rows.map(([name, , shape, scale, seed, offset]) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const values = Float32Array.from(
      { length: size },
      (_, i) => offset + scale * ((2 * ((31 * i * i + 7919 * i + 12345 * seed) % 10007)) / 10007 - 1),
    );
    return { name, shape, values };
  });
}
