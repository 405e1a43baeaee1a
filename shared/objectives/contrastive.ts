// CLIP's objective: which text of a batch belongs to which image, and which image to which text. Radford et al. 2021, Fig. 3.

import * as tf from "@tensorflow/tfjs-core";
import { unitRows } from "../diffusion/embeddings.ts";
import { logLikelihood } from "../nn/log-likelihood.ts";

/**
 * @param images, texts float32 [B, D], row i of both of one sample. @param logScale of the cosines.
 * @returns logits of the images, [B, B], and the mean of both cross entropies in nats, ln B of features that know nothing.
 */
export function contrastive(images: tf.Tensor, texts: tf.Tensor, logScale: number | tf.Scalar) {
  const cosines = tf.matMul(unitRows(images) as tf.Tensor2D, unitRows(texts) as tf.Tensor2D, false, true);
  const logits = tf.mul(cosines, tf.exp(logScale)) as tf.Tensor2D;
  const own = tf.range(0, logits.shape[0], 1, "int32");
  const nats = (rows: tf.Tensor2D) => tf.mean(logLikelihood(rows, own));
  return { logits, loss: tf.mul(tf.add(nats(logits), nats(tf.transpose(logits))), -0.5) as tf.Scalar };
}
