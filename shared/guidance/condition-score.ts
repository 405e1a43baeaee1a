// Guidance in the score, eps - sqrt(1 - abar_t) grad log p(y | x_t): Song et al. 2021, Eq. 14; Dhariwal and Nichol 2021,
// Algorithm 2. For samplers that see x_0 alone, such as DDIM, and for walks, which see D or the score.

import * as tf from "@tensorflow/tfjs-core";
import { processX0 } from "../diffusion/gaussian.ts";
import { at, type Steps, toEps, toX0 } from "../diffusion/prediction.ts";
import type { Coefficients } from "../diffusion/process.ts";
import type { SamplerStep, Score, SigmaDenoiser } from "../samplers/sampler.ts";
import type { ConditionalGradient } from "./classifier.ts";

/** eps of the guided score at x_t = alpha x_0 + sigma eps. */
export const conditionEps = (eps: tf.Tensor, gradient: tf.Tensor, sigma: number | tf.Tensor): tf.Tensor =>
  tf.sub(eps, tf.mul(gradient, sigma));

/** x_0 of the guided score. */
export function conditionScore(
  c: Coefficients,
  x_t: tf.Tensor,
  t: Steps,
  x0: tf.Tensor,
  gradient: tf.Tensor,
): tf.Tensor {
  const eps = conditionEps(toEps(c, x_t, t, x0), gradient, at(c.sqrtOneMinusAlphasCumprod, t));
  return toX0(c, "eps", x_t, t, eps);
}

/** x_0 is clipped before it is guided, and not again: guidance may lead out of [-1, 1]. */
export function guideScore(step: SamplerStep, gradient: ConditionalGradient): SamplerStep {
  return (denoise, x_t, t, options) =>
    step(
      (x, at) => {
        const x0 = processX0(denoise(x, at).x0, options);
        return { x0: conditionScore(options.process, x, at, x0, gradient(x, at)) };
      },
      x_t,
      t,
      { ...options, clip: false, transform: undefined },
    );
}

/** The gradient is with respect to x = x_t / alpha, where D = x + sigma^2 grad log p(x). */
export const guideDenoiser =
  (denoise: SigmaDenoiser, gradient: ConditionalGradient): SigmaDenoiser =>
  (x, sigma) =>
    tf.add(denoise(x, sigma), tf.mul(gradient(x, sigma), sigma * sigma));

/** grad log p(x_t | y) = grad log p(x_t) + grad log p(y | x_t): Song et al. 2021, Sec. 5. */
export const guideTimeScore =
  (score: Score, gradient: ConditionalGradient): Score =>
  (x_t, t) =>
    tf.add(score(x_t, t), gradient(x_t, t));
