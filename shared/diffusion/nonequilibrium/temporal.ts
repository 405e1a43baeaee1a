// How a network that sees no time depends on it: it gives weights of bumps over time. The authors' code (model.py).

import * as tf from "@tensorflow/tfjs-core";
import { bumps } from "./schedule.ts";

type T = tf.Tensor;

/** schedule.ts' basis at any time. @param time of each sample, from -1 to 1, float32 [B]. @returns float32 [B, n]. */
export function bumpsAt(time: T, n: number): T {
  const { centres, width } = bumps(n);
  const distance = tf.div(tf.sub(tf.reshape(time, [-1, 1]), tf.tensor2d(centres, [1, n])), width);
  // Gaussians over their sum.
  return tf.softmax(tf.mul(tf.square(distance), -0.5));
}

/**
 * What a network's weights of a basis come to.
 * @param basis at each sample's time, float32 [B, n].
 * @param output float32 [B, H, W, C * parts * n], or with these axes apart: per channel and part, n weights.
 * @returns `parts` tensors [B, H, W, C].
 */
export function temporalReadout(basis: T, output: T, parts: number): T[] {
  const [B, H, W] = output.shape as [number, number, number];
  const n = basis.shape[1]!;
  const weights = tf.reshape(output, [B, -1, parts, n]);
  const read = tf.sum(tf.mul(weights, tf.reshape(basis, [B, 1, 1, n])), 3);
  return tf.split(read, parts, 2).map((part) => tf.reshape(part, [B, H, W, -1]));
}
