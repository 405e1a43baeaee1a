// Log-densities of images under the probability flow: Song et al. 2021, Eq. 39.

import * as tf from "@tensorflow/tfjs-core";
import type { Sde } from "../../diffusion/processes/process.ts";
import { exactLog } from "../../rng/exact-math.ts";

/** log p_1 of the prior N(0, prior^2 I), in nats. @param z float32 [B, H, W, C]. @returns float32 [B]. */
export function priorLogDensity({ prior }: Sde, z: tf.Tensor): tf.Tensor1D {
  const [B] = z.shape as [number];
  const D = z.size / B;
  const squares = tf.sum(tf.square(tf.reshape(z, [B, D])), 1);
  return tf.sub((-D / 2) * exactLog(2 * Math.PI * prior * prior), tf.div(squares, 2 * prior * prior));
}
