// L_simple: Ho et al. 2020, Eq. 14, as a mean over elements.

import * as tf from "@tensorflow/tfjs-core";
import { meanFlat } from "../diffusion/likelihood.ts";
import type { Asked, Objective } from "./objective.ts";

export const simple: Objective = (asked, output) => {
  const loss = squaredError(asked, output);
  return { loss, mse: loss };
};

/** |F - target|^2 as a mean over elements, float32 [B]. */
export function squaredError({ target, weight }: Pick<Asked, "target" | "weight">, F: tf.Tensor): tf.Tensor {
  const error = tf.squaredDifference(F, target);
  return meanFlat(weight !== undefined ? tf.mul(error, weight) : error);
}
