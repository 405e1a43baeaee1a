// Guidance without a classifier: u + s (c - u) (Ho and Salimans 2022, with s = w + 1).

import * as tf from "@tensorflow/tfjs-core";

/**
 * At one x_t, x_0, eps and v are affine in one another, so mixing one of them mixes all by the same weights.
 * @param scale s: 0 is unconditional, 1 plain conditional.
 */
export const classifierFree = (
  conditional: tf.Tensor,
  unconditional: tf.Tensor,
  scale: number | tf.Tensor,
): tf.Tensor => tf.add(unconditional, tf.mul(tf.sub(conditional, unconditional), scale));
