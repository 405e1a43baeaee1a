// Guidance in the mean of the step back, mu + Sigma grad log p(y | x_t): Sohl-Dickstein et al. 2015; Dhariwal and Nichol 2021,
// Algorithm 1. For samplers that draw from p(x_(t-1) | x_t).

import * as tf from "@tensorflow/tfjs-core";
import { type Gaussian, pMeanVariance } from "../diffusion/gaussian.ts";
import type { SamplerStep } from "../samplers/sampler.ts";
import type { ConditionalGradient } from "./classifier.ts";

/** The mean of the guided step. */
export const conditionMean = ({ mean, variance }: Gaussian, gradient: tf.Tensor): tf.Tensor =>
  tf.add(mean, tf.mul(gradient, variance));

export function guideMean(step: SamplerStep, gradient: ConditionalGradient): SamplerStep {
  return (denoise, x_t, t, options) =>
    step(
      (x, at) => {
        const prediction = denoise(x, at);
        const p = pMeanVariance(options.process, x, at, prediction, options);
        return { ...prediction, mean: conditionMean(p, gradient(x, at)) };
      },
      x_t,
      t,
      options,
    );
}
