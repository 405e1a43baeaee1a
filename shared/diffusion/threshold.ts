// Thresholds of a predicted x_0; dynamic thresholding: Saharia et al. 2022 (Imagen), Sec. 2.3.

import * as tf from "@tensorflow/tfjs-core";
import type { X0Options } from "./gaussian.ts";
import { PERCENTILE, type ThresholdName } from "./thresholds.ts";

export interface Thresholding {
  /** Static when absent. */
  readonly threshold?: ThresholdName | undefined;
  /** Of dynamic thresholding, in (0, 100]; PERCENTILE when absent. */
  readonly percentile?: number | undefined;
}

/** Of each image by itself. */
export const thresholded = ({ threshold = "static", percentile = PERCENTILE }: Thresholding): X0Options =>
  threshold === "dynamic"
    ? { clip: false, transform: (x0) => dynamicThreshold(x0, { quantile: percentile / 100, least: 1 }) }
    : { clip: threshold === "static" };

export interface Threshold {
  /** Which quantile of a sample's |x_0| becomes 1, in (0, 1]; between two values it is interpolated. */
  readonly quantile: number;
  /** What that quantile counts as at least. */
  readonly least: number;
}

/** Clips x_0, float32 [B, H, W, C], to its sample's threshold s, and divides by s: in [-1, 1]. */
export function dynamicThreshold(x0: tf.Tensor, { quantile, least }: Threshold): tf.Tensor {
  const [B, ...rest] = x0.shape as [number, ...number[]];
  const values = tf.reshape(tf.abs(x0), [B, -1]) as tf.Tensor2D;
  const last = values.shape[1] - 1;
  const below = Math.floor(quantile * last);
  // Largest first: the k-th is the value at `below` in ascending order.
  const k = last - below + 1;
  const { values: top } = tf.topk(values, k);
  const rank = (i: number) => tf.slice(top, [0, i], [B, 1]);
  const share = quantile * last - below;
  const [low, high] = [rank(k - 1), rank(Math.max(0, k - 2))];
  const s = tf.maximum(tf.add(low, tf.mul(tf.sub(high, low), share)), least);
  const limit = tf.reshape(s, [B, ...rest.map(() => 1)]);
  return tf.div(tf.minimum(tf.maximum(x0, tf.neg(limit)), limit), limit);
}
