// The process on tensors: its forward marginal, its posterior, and the model's step back. Ho et al. 2020.
// Tensors are float32 [B, H, W, C]; variances are numbers or [B, 1, 1, 1] where fixed, and as x where learned.

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../rng/exact-math.ts";
import { at, mix, type Prediction, type Steps, type VarianceType } from "./prediction.ts";
import type { Coefficients } from "./process.ts";

type T = tf.Tensor;

export interface Gaussian {
  readonly mean: T;
  readonly variance: T | number;
  readonly logVariance: T | number;
}

/** x_t from x_0 and its noise: Eq. 4. */
export function qSample(c: Coefficients, x0: T, t: Steps, eps: T): T {
  return mix(x0, at(c.sqrtAlphasCumprod, t), eps, at(c.sqrtOneMinusAlphasCumprod, t));
}

/** q(x_t | x_0): Eq. 4. */
export function qMeanVariance(c: Coefficients, x0: T, t: Steps): Gaussian {
  return {
    mean: tf.mul(x0, at(c.sqrtAlphasCumprod, t)),
    variance: at((i) => 1 - c.alphasCumprod[i]!, t),
    logVariance: at(c.logOneMinusAlphasCumprod, t),
  };
}

/** q(x_(t-1) | x_t, x_0): Eqs. 6 and 7. The log variance is clipped: at t = 0 it is that of t = 1. */
export function qPosterior(c: Coefficients, x0: T, x_t: T, t: Steps): Gaussian {
  return {
    mean: mix(x0, at(c.posteriorMeanCoef1, t), x_t, at(c.posteriorMeanCoef2, t)),
    variance: at(c.posteriorVariance, t),
    logVariance: at(c.posteriorLogVarianceClipped, t),
  };
}

/** What becomes of a predicted x_0. */
export interface X0Options {
  /** Clip it to [-1, 1]. */
  readonly clip: boolean;
  /** Applied to it before it is clipped. */
  readonly transform?: ((x0: T) => T) | undefined;
}

export interface StepBackOptions extends X0Options {
  /** A fixed variance is this one; a learned one comes with the prediction. */
  readonly variance: VarianceType;
}

/** p(x_(t-1) | x_t): the posterior at the predicted x_0, with the variance of the model. */
export function pMeanVariance(
  c: Coefficients,
  x_t: T,
  t: Steps,
  prediction: Prediction,
  options: StepBackOptions,
): Gaussian & { readonly x0: T } {
  const x0 = processX0(prediction.x0, options);
  const posterior = qPosterior(c, x0, x_t, t);
  const mean = prediction.mean ?? posterior.mean;
  if (prediction.logVariance)
    return { x0, mean, variance: tf.exp(prediction.logVariance), logVariance: prediction.logVariance };
  if (options.variance === "fixed-small") return { ...posterior, x0, mean };
  const logVariance = at((i) => exactLog(c.fixedLargeVariance[i]!), t);
  return { x0, mean, variance: at(c.fixedLargeVariance, t), logVariance };
}

export function processX0(x0: T, { clip, transform }: X0Options): T {
  const changed = transform ? transform(x0) : x0;
  return clip ? tf.clipByValue(changed, -1, 1) : changed;
}
