// A denoiser that guesses only what is not known: of its x_0 the known part is replaced. Wang et al. 2023 (DDNM), Eq. 13. What is
// known then goes the way of its own noise at every step, so that any sampler may ask: it sees a denoiser.

import * as tf from "@tensorflow/tfjs-core";
import type { Level } from "../diffusion/parameterization.ts";
import type { Denoisers } from "../pipeline/denoiser.ts";
import { CLEAN, type Known } from "../samplers/known.ts";

export const inNullSpace = ({ byStep, bySigma, byTime, levelAt }: Denoisers, { keep }: Known): Denoisers => ({
  levelAt,
  byStep: (process) => {
    const denoise = byStep(process);
    return (x, step) => {
      const { x0, ...more } = denoise(x, step);
      return { ...more, x0: keep(x0, CLEAN) };
    };
  },
  bySigma: (options) => {
    const denoise = bySigma(options);
    return (x, sigma) => keep(denoise(x, sigma), CLEAN);
  },
  byTime: () => {
    const score = byTime();
    return (x, t) => {
      const level = levelAt(t);
      return scoreOf(x, keep(x0Of(x, score(x, t), level), CLEAN), level);
    };
  },
});

const x0Of = (x: tf.Tensor, score: tf.Tensor, { alpha, sigma }: Level): tf.Tensor =>
  tf.div(tf.add(x, tf.mul(score, sigma * sigma)), alpha);

const scoreOf = (x: tf.Tensor, x0: tf.Tensor, { alpha, sigma }: Level): tf.Tensor =>
  tf.div(tf.sub(tf.mul(x0, alpha), x), sigma * sigma);
