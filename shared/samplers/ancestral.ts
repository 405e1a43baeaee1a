// DDPM's ancestral sampling: Ho et al. 2020, Algorithm 2.

import * as tf from "@tensorflow/tfjs-core";
import { exactExp } from "../rng/exact-math.ts";
import type { SamplerStep } from "./sampler.ts";

export const ancestralStep: SamplerStep = (denoise, x_t, t, { process, clip, variance, noise }) => {
  const prediction = denoise(x_t, t);
  const x0 = clip ? tf.clipByValue(prediction.x0, -1, 1) : prediction.x0;
  // The mean of q(x_(t-1) | x_t, x_0): Eq. 7.
  const mean = tf.add(tf.mul(x0, process.posteriorMeanCoef1[t]!), tf.mul(x_t, process.posteriorMeanCoef2[t]!));
  if (t === 0) return { x: mean, x0 };
  const z = noise(t, x_t.shape);
  if (prediction.logVariance) return { x: tf.add(mean, tf.mul(tf.exp(tf.mul(prediction.logVariance, 0.5)), z)), x0 };
  const sigma =
    variance === "fixed-small"
      ? exactExp(0.5 * process.posteriorLogVarianceClipped[t]!)
      : Math.sqrt(process.fixedLargeVariance[t]!);
  return { x: tf.add(mean, tf.mul(z, sigma)), x0 };
};
