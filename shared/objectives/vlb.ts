// The variational bound itself: Ho et al. 2020, Eq. 5, at random steps, in bits a dimension.

import * as tf from "@tensorflow/tfjs-core";
import { pMeanVariance } from "../diffusion/gaussian.ts";
import { vlbTerm } from "../diffusion/likelihood.ts";
import type { Asked, Objective, ObjectiveOptions } from "./objective.ts";

/** The term of each sample's step. */
export const vlb: Objective = (asked, output, options) => ({ loss: boundTerm(asked, output, options) });

/** The same, times T: an estimate of the whole bound without its prior. */
export const rescaledVlb: Objective = (asked, output, options) => ({
  loss: tf.mul(boundTerm(asked, output, options), options.coefficients.betas.length),
});

/** Without clipping x_0, whose gradient would be lost. Bits a dimension, float32 [B]. */
export function boundTerm(asked: Asked, output: tf.Tensor, { coefficients, variance }: ObjectiveOptions): tf.Tensor {
  const step = { variance, clip: false };
  return vlbTerm(coefficients, asked, pMeanVariance(coefficients, asked.x_t, asked.t, asked.read(output), step));
}
