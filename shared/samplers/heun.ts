// Heun's second-order method on the probability-flow ODE: Karras et al. 2022, Algorithm 1 without churn. In x / sqrt(alphaBar)
// and sigma = sqrt((1 - alphaBar) / alphaBar) the slope is eps. Two network evaluations a step, one in the last.

import * as tf from "@tensorflow/tfjs-core";
import { processX0 } from "../diffusion/gaussian.ts";
import { toEps } from "../diffusion/prediction.ts";
import type { SamplerStep } from "./sampler.ts";

const sigmaOf = (alphaBar: number): number => Math.sqrt((1 - alphaBar) / alphaBar);

export const heunStep: SamplerStep = (denoise, x_t, t, { process, clip }) => {
  const predict = (x: tf.Tensor, at: number) => {
    const x0 = processX0(denoise(x, at).x0, { clip });
    return { x0, eps: toEps(process, x, at, x0) };
  };
  const alphaBar = process.alphasCumprod[t]!;
  const alphaBarPrev = process.alphasCumprodPrev[t]!;
  const dSigma = sigmaOf(alphaBarPrev) - sigmaOf(alphaBar);
  const stepAlong = (slope: tf.Tensor) =>
    tf.mul(tf.add(tf.div(x_t, Math.sqrt(alphaBar)), tf.mul(slope, dSigma)), Math.sqrt(alphaBarPrev));
  // Euler step.
  const here = predict(x_t, t);
  const euler = stepAlong(here.eps);
  if (t === 0) return { x: euler, x0: here.x0 };
  // 2nd order correction: the mean of the slopes at both ends. The last step has none: sigma is 0 there.
  const there = predict(euler, t - 1);
  return { x: stepAlong(tf.mul(tf.add(here.eps, there.eps), 0.5)), x0: there.x0 };
};
