// Embeddings that lie on a sphere, as CLIP's do: what a diffusion of them draws is brought back to it.

import * as tf from "@tensorflow/tfjs-core";

/** Of a row of zeros, which has no direction. */
const LEAST_LENGTH = 1e-12;

/** x / |x|, of each row of float32 [..., D]. */
export const unitRows = (x: tf.Tensor): tf.Tensor =>
  tf.div(x, tf.maximum(tf.sqrt(tf.sum(tf.square(x), -1, true)), LEAST_LENGTH));

/** What becomes of x_0 in unCLIP's prior: each embedding, float32 [..., D], scaled to a length. Ramesh et al. 2022. */
export const ofLength =
  (length: number) =>
  (x0: tf.Tensor): tf.Tensor =>
    tf.mul(unitRows(x0), length);
