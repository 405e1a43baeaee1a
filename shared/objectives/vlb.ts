// The variational bound itself: Ho et al. 2020, Eq. 5, at random steps, in bits a dimension.

import * as tf from "@tensorflow/tfjs-core";
import { pMeanVariance } from "../diffusion/gaussian.ts";
import { vlbTerm } from "../diffusion/likelihood.ts";
import { interpret, type Noised, type Reads } from "../diffusion/prediction.ts";
import type { Coefficients } from "../diffusion/process.ts";
import type { Objective } from "./objective.ts";

/** The term of each sample's step. */
export const vlb: Objective = (c, reads, noised, output) => ({ loss: boundTerm(c, reads, noised, output) });

/** The same, times T: an estimate of the whole bound without its prior. */
export const rescaledVlb: Objective = (c, reads, noised, output) => ({
  loss: tf.mul(boundTerm(c, reads, noised, output), c.betas.length),
});

/** Without clipping x_0, whose gradient would be lost. Bits a dimension, float32 [B]. */
export function boundTerm(c: Coefficients, reads: Reads, noised: Noised, output: tf.Tensor): tf.Tensor {
  const { x_t, t } = noised;
  const prediction = interpret(c, reads, x_t, t, output);
  return vlbTerm(c, noised, pMeanVariance(c, x_t, t, prediction, { variance: reads.variance, clip: false }));
}
