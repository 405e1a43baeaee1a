// L_simple: Ho et al. 2020, Eq. 14, as a mean over elements.

import * as tf from "@tensorflow/tfjs-core";
import { qPosterior } from "../diffusion/gaussian.ts";
import { meanFlat } from "../diffusion/likelihood.ts";
import { type Noised, type PredictionType, targetOf } from "../diffusion/prediction.ts";
import type { Coefficients } from "../diffusion/process.ts";
import type { Objective } from "./objective.ts";

export const simple: Objective = (c, { predict }, noised, output) => {
  const loss = squaredError(c, predict, noised, output);
  return { loss, mse: loss };
};

/** |target - prediction|^2 as a mean over elements, float32 [B]. */
export function squaredError(
  c: Coefficients,
  predict: PredictionType,
  { x0, x_t, t, eps }: Noised,
  prediction: tf.Tensor,
): tf.Tensor {
  const target = predict === "x_prev" ? qPosterior(c, x0, x_t, t).mean : targetOf(c, predict, x0, t, eps);
  return meanFlat(tf.squaredDifference(target, prediction));
}
