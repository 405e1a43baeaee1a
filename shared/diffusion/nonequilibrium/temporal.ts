// How a network that sees no time depends on it: it gives weights of bumps over time. The authors' code (model.py).

import * as tf from "@tensorflow/tfjs-core";
import type { TemporalBasis } from "./schedule.ts";

type T = tf.Tensor;

/** The bumps at each sample's step. @param step int32 [B], rows of the basis. @returns float32 [B, n]. */
export const bumpsAt = ({ values, n }: TemporalBasis, step: tf.Tensor1D): T =>
  tf.gather(tf.tensor2d(Float32Array.from(values), [values.length / n, n]), step);

/**
 * What a network's weights of the bumps come to.
 * @param bumps float32 [B, n].
 * @param output float32 [B, H, W, C * parts * n], or with these axes apart: per channel and part, n weights.
 * @returns `parts` tensors [B, H, W, C].
 */
export function temporalReadout(bumps: T, output: T, parts: number): T[] {
  const [B, H, W] = output.shape as [number, number, number];
  const n = bumps.shape[1]!;
  const weights = tf.reshape(output, [B, -1, parts, n]);
  const read = tf.sum(tf.mul(weights, tf.reshape(bumps, [B, 1, 1, n])), 3);
  return tf.split(read, parts, 2).map((part) => tf.reshape(part, [B, H, W, -1]));
}
