// Of several drawn embeddings of an image the one that is nearest to its text's: Ramesh et al. 2022, Sec. 2.2.

import * as tf from "@tensorflow/tfjs-core";
import { unitRows } from "../diffusion/embeddings.ts";

/** @param text float32 [B, D]. @param drawn float32 [B, N, D]. @returns cosines [B, N], and the best of each: int32 [B], float32 [B, D]. */
export function bestOf(text: tf.Tensor, drawn: tf.Tensor) {
  const [, N] = drawn.shape as [number, number, number];
  const similarity = tf.sum(tf.mul(unitRows(drawn), tf.expandDims(unitRows(text), 1)), -1);
  const index = tf.argMax(similarity, 1) as tf.Tensor1D;
  const selected = tf.sum(tf.mul(drawn, tf.expandDims(tf.oneHot(index, N), -1)), 1);
  return { similarity, index, selected };
}
