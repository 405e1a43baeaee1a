// DDIM: Song et al. 2021, Eq. 12 with sigma of Eq. 16; and its inversion, the same map run towards noise.

import * as tf from "@tensorflow/tfjs-core";
import { processX0 } from "../diffusion/gaussian.ts";
import { toEps } from "../diffusion/prediction.ts";
import type { InversionStep, SamplerStep } from "./sampler.ts";

export const ddimStep: SamplerStep = (denoise, x_t, t, { process, eta, noise, ...options }) => {
  const x0 = processX0(denoise(x_t, t).x0, options);
  // eps belongs to the clipped x_0.
  const eps = toEps(process, x_t, t, x0);
  const alphaBar = process.alphasCumprod[t]!;
  const alphaBarPrev = process.alphasCumprodPrev[t]!;
  const sigma = eta * Math.sqrt((1 - alphaBarPrev) / (1 - alphaBar)) * Math.sqrt(1 - alphaBar / alphaBarPrev);
  const mean = tf.add(tf.mul(x0, Math.sqrt(alphaBarPrev)), tf.mul(eps, Math.sqrt(1 - alphaBarPrev - sigma * sigma)));
  return { x: t > 0 && sigma > 0 ? tf.add(mean, tf.mul(noise(t, x_t.shape), sigma)) : mean, x0 };
};

/** Eta is 0. */
export const ddimInversionStep: InversionStep = (denoise, x_t, t, { process, ...options }) => {
  const x0 = processX0(denoise(x_t, t).x0, options);
  const eps = toEps(process, x_t, t, x0);
  const alphaBarNext = process.alphasCumprodNext[t]!;
  return { x: tf.add(tf.mul(x0, Math.sqrt(alphaBarNext)), tf.mul(eps, Math.sqrt(1 - alphaBarNext))), x0 };
};
