// One-step methods on the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma: Karras et al. 2022, Algorithms 1 and 2.

import * as tf from "@tensorflow/tfjs-core";
import type { SigmaDenoiser, Walk, WalkOptions } from "./sampler.ts";

type T = tf.Tensor;

/** Noise added before a step, as if the walk had come from higher up: Algorithm 2. */
export interface Churn {
  /** S_churn; the other three bound where and how strongly it acts. */
  readonly churn: number;
  readonly sMin?: number;
  readonly sMax?: number;
  readonly sNoise?: number;
}

const NO_CHURN: Churn = { churn: 0 };

/** d = (x - D) / sigma. */
export const slope = (x: T, denoised: T, sigma: number): T => tf.div(tf.sub(x, denoised), sigma);

/** Euler's method. */
export const euler = (churn = NO_CHURN): Walk =>
  oneStep(churn, (_denoise, x, d, hat, next) => tf.add(x, tf.mul(d, next - hat)));

/** Heun's second-order method; the step to 0 is Euler's, for the slope has no value there. */
export const heun = (churn = NO_CHURN): Walk =>
  oneStep(churn, (denoise, x, d, hat, next) => {
    const guess = tf.add(x, tf.mul(d, next - hat));
    if (next === 0) return guess;
    const there = slope(guess, denoise(guess, next), next);
    return tf.add(x, tf.mul(tf.add(d, there), (next - hat) / 2));
  });

/** From x at `hat` along its slope d to `next`. */
type Method = (denoise: SigmaDenoiser, x: T, d: T, hat: number, next: number) => T;

export const oneStep = (churn: Churn, method: Method): Walk =>
  function* (denoise, x, sigmas, { noise }) {
    for (let i = 0; i < sigmas.length - 1; i++) {
      const { x: churned, sigma: hat } = churnedFrom(x, sigmas, i, churn, noise);
      x = method(denoise, churned, slope(churned, denoise(churned, hat), hat), hat, sigmas[i + 1]!);
      yield { x };
    }
  };

/** Up from sigma to sigma + gamma sigma. A walk that churns draws once a step, whether it acts there or not. */
function churnedFrom(x: T, sigmas: Float64Array, i: number, churn: Churn, noise: WalkOptions["noise"]) {
  const sigma = sigmas[i]!;
  const { churn: S, sMin = 0, sMax = Number.POSITIVE_INFINITY, sNoise = 1 } = churn;
  const acts = S > 0 && sMin <= sigma && sigma <= sMax;
  if (!acts) return { x, sigma };
  const hat = sigma * (1 + Math.min(S / (sigmas.length - 1), Math.SQRT2 - 1));
  return { x: tf.add(x, tf.mul(noise(i), Math.sqrt(hat * hat - sigma * sigma) * sNoise)), sigma: hat };
}
