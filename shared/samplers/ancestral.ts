// DDPM's ancestral sampling: Ho et al. 2020, Algorithm 2.

import * as tf from "@tensorflow/tfjs-core";
import { pMeanVariance } from "../diffusion/gaussian.ts";
import type { SamplerStep } from "./sampler.ts";

export const ancestralStep: SamplerStep = (denoise, x_t, t, { process, noise, ...options }) => {
  const { x0, mean, variance: sigma2, logVariance } = pMeanVariance(process, x_t, t, denoise(x_t, t), options);
  // No noise on the last step.
  if (t === 0) return { x: mean, x0 };
  const sigma = typeof sigma2 === "number" ? Math.sqrt(sigma2) : tf.exp(tf.mul(logVariance, 0.5));
  return { x: tf.add(mean, tf.mul(noise(t, x_t.shape), sigma)), x0 };
};
