// What a network may predict, and the conversions between predictions at one noise level (a = sqrt(abar_t),
// s = sqrt(1 - abar_t), x_t = a x_0 + s eps): v = a eps - s x_0 (Salimans and Ho 2022, App. D).

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../rng/exact-math.ts";
import type { Coefficients } from "./process.ts";

type T = tf.Tensor;

export type PredictionType = "eps" | "x0" | "v" | "x_prev";

/** x_0 from the network's output at step t. */
export function toX0(c: Coefficients, type: PredictionType, x_t: T, t: number, output: T): T {
  switch (type) {
    case "x0":
      return output;
    case "eps":
      return tf.sub(tf.mul(x_t, c.sqrtRecipAlphasCumprod[t]!), tf.mul(output, c.sqrtRecipm1AlphasCumprod[t]!));
    case "v":
      return tf.sub(tf.mul(x_t, c.sqrtAlphasCumprod[t]!), tf.mul(output, c.sqrtOneMinusAlphasCumprod[t]!));
    case "x_prev":
      return tf.sub(
        tf.mul(output, 1 / c.posteriorMeanCoef1[t]!),
        tf.mul(x_t, c.posteriorMeanCoef2[t]! / c.posteriorMeanCoef1[t]!),
      );
  }
}

/** eps from x_0. */
export function toEps(c: Coefficients, x_t: T, t: number, x0: T): T {
  return tf.div(tf.sub(tf.mul(x_t, c.sqrtRecipAlphasCumprod[t]!), x0), c.sqrtRecipm1AlphasCumprod[t]!);
}

/** The training target of a prediction type, per element, given per-sample a and s of shape [B, 1, 1, 1]. */
export function targetOf(type: "eps" | "x0" | "v", x0: T, eps: T, a: T, s: T): T {
  if (type === "eps") return eps;
  return type === "x0" ? x0 : tf.sub(tf.mul(eps, a), tf.mul(x0, s));
}

/** The learned range of iDDPM (Nichol and Dhariwal 2021, Eq. 15): v in [-1, 1] runs from log beta~_t to log beta_t. */
export function learnedRangeLogVariance(c: Coefficients, t: number, v: T): T {
  const min = c.posteriorLogVarianceClipped[t]!;
  const max = exactLog(c.betas[t]!);
  const fraction = tf.mul(tf.add(v, 1), 0.5);
  return tf.add(tf.mul(fraction, max), tf.mul(tf.sub(1, fraction), min));
}
