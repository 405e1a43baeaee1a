import * as tf from "@tensorflow/tfjs-core";

export type Term = readonly [number, tf.Tensor];

/** The sum of tensors times numbers. */
export const combine = (...terms: readonly Term[]): tf.Tensor =>
  terms
    .filter(([a]) => a !== 0)
    .map(([a, tensor]) => (a === 1 ? tensor : tf.mul(tensor, a)))
    .reduce((sum, term) => tf.add(sum, term));
