// Codes of CLIP's embeddings, for a prior that draws them one by one (Ramesh et al. 2022, Sec. 2.2): that of the dot product of an image's
// embedding and its caption's, then that of each dimension. As an embedding's length is sqrt(D), all of these numbers lie within known
// ends, which are cut into K buckets of one width: nothing is measured of the data, and none is beyond the ends. There is no PCA, which
// in the paper lets 319 of 1024 dimensions do, the most telling first. B batch, D dimensions.

import * as tf from "@tensorflow/tfjs-core";

/** @param images of length sqrt(D), float32 [B, D]. @param texts of their captions, likewise. @returns int32 [B, 1 + D], 0 to K - 1. */
export function codesOf(images: tf.Tensor2D, texts: tf.Tensor2D, K: number): tf.Tensor2D {
  const D = images.shape[1];
  const dots = tf.sum(tf.mul(images, texts), 1, true);
  const numbers = tf.concat([tf.div(dots, D), tf.div(images, Math.sqrt(D))], 1); // -1 to 1
  return tf.cast(tf.clipByValue(tf.mul(tf.add(numbers, 1), K / 2), 0, K - 1), "int32") as tf.Tensor2D;
}

/** The middles of the buckets: off by sqrt(D) / K at most. @param codes n (1 + D). @returns float32 [n, D], not yet of one length. */
export function embeddingsOf(codes: Int32Array, D: number, K: number): tf.Tensor2D {
  const n = codes.length / (1 + D);
  const middle = (code: number): number => Math.sqrt(D) * ((2 * code + 1) / K - 1);
  const numbers = Float32Array.from({ length: n * D }, (_, k) => middle(codes[k + Math.floor(k / D) + 1]!));
  return tf.tensor2d(numbers, [n, D]);
}
