// One-step methods on the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma: Karras et al. 2022, Algorithms 1 and 2,
// and their Table 1's other times and scales of the same curve.

import * as tf from "@tensorflow/tfjs-core";
import {
  betasBetween,
  exploding,
  type Path,
  preserving,
  STRAIGHT,
  unitVariance,
  unscaled,
} from "../diffusion/paths.ts";
import { exactPow } from "../rng/exact-math.ts";
import { combine, type Term } from "./combine.ts";
import type { Method, SigmaDenoiser, Walk, WalkOptions } from "./sampler.ts";
import { between } from "./sigma-math.ts";

type T = tf.Tensor;

/** Noise added before a step, as if the walk had come from higher up: Algorithm 2. */
export interface Churn {
  /** S_churn; the other three bound where and how strongly it acts. */
  readonly churn: number;
  readonly sMin?: number;
  readonly sMax?: number;
  readonly sNoise?: number;
}

/** d = (x - D) / sigma. */
export const slope = (x: T, denoised: T, sigma: number): T => tf.div(tf.sub(x, denoised), sigma);

/** Euler's method in the time of a path. */
export const euler =
  (path: Path = STRAIGHT): Method =>
  (denoise, x, sigma, next) => {
    const here = stand(path, denoise, x, sigma);
    return here.to(next, [1, here]);
  };

/**
 * A second-order method in the time of a path: the slope at the share alpha of the step counts 1 / (2 alpha). Alpha 1 is Heun's
 * method, 1/2 the midpoint's. The step to 0 is Euler's, for the slope has no value there.
 */
export const heun =
  (path: Path = STRAIGHT, alpha = 1): Method =>
  (denoise, x, sigma, next) => {
    const here = stand(path, denoise, x, sigma);
    if (next === 0) return here.to(next, [1, here]);
    const { sigma: sigmaOf, timeOf } = path.schedule;
    const second = alpha === 1 ? next : sigmaOf(here.t + alpha * (timeOf(next) - here.t));
    const there = stand(path, denoise, here.to(second, [1, here]), second);
    const share = 1 / (2 * alpha);
    return here.to(next, [1 - share, here], [share, there]);
  };

/** Euler's method to a middle, whose slope the whole step takes; where the middle is 0 there is none, and the step is Euler's. */
const midpoint =
  (middleOf: (sigma: number, next: number) => number): Method =>
  (denoise, x, sigma, next) => {
    const middle = middleOf(sigma, next);
    if (middle === 0) return euler()(denoise, x, sigma, next);
    const there = euler()(denoise, x, sigma, middle);
    return combine([1, x], [next - sigma, slope(there, denoise(there, middle), middle)]);
  };

/** The middle of log sigma: k-diffusion's DPM-2. */
export const dpm2 = midpoint((sigma, next) => between(sigma, next, 0.5));

/** The middle of a Karras grid of rho 3: the "dpm" of consistency models' teachers, Song et al. 2023. */
export const dpmRho3 = midpoint((sigma, next) => {
  const root = (exactPow(sigma, 1 / 3) + exactPow(next, 1 / 3)) / 2;
  return root * root * root;
});

/** Where a path is at sigma, and dx_t/dt there: Karras et al. 2022, Eq. 81. x = x_t / s. */
interface Stand {
  readonly t: number;
  readonly s: number;
  /** dx_t/dt / s. */
  readonly slope: T;
  /** x at another sigma, along slopes with their shares of the step. */
  to(next: number, ...slopes: readonly (readonly [share: number, at: Stand])[]): T;
}

function stand({ schedule, scaling }: Path, denoise: SigmaDenoiser, x: T, sigma: number): Stand {
  const t = schedule.timeOf(sigma);
  const s = scaling.scale(sigma);
  const speed = schedule.slope(t);
  return {
    t,
    s,
    slope: combine([speed, slope(x, denoise(x, sigma), sigma)], [scaling.rate(sigma, speed), x]),
    to(next, ...slopes) {
      const h = schedule.timeOf(next) - t;
      const end = scaling.scale(next);
      const terms = slopes.map(([share, at]): Term => [(share * h * at.s) / end, at.slope]);
      return combine([s / end, x], ...terms);
    },
  };
}

/** A walk by a method, with churn. */
export const churned = (method: Method, churn: Churn): Walk =>
  function* (denoise, x, sigmas, { noise }) {
    for (let i = 0; i < sigmas.length - 1; i++) {
      const { x: up, sigma: hat } = churnedFrom(x, sigmas, i, churn, noise);
      x = method(denoise, up, hat, sigmas[i + 1]!);
      yield { x };
    }
  };

/** Up from sigma to sigma + gamma sigma. */
function churnedFrom(x: T, sigmas: Float64Array, i: number, churn: Churn, noise: WalkOptions["noise"]) {
  const sigma = sigmas[i]!;
  const { churn: S, sMin = 0, sMax = Number.POSITIVE_INFINITY, sNoise = 1 } = churn;
  const acts = S > 0 && sMin <= sigma && sigma <= sMax;
  if (!acts) return { x, sigma };
  const hat = sigma * (1 + Math.min(S / (sigmas.length - 1), Math.SQRT2 - 1));
  return { x: combine([1, x], [Math.sqrt(hat * hat - sigma * sigma) * sNoise, noise(i)]), sigma: hat };
}

const NO_CHURN: Churn = { churn: 0 };
export const eulerWalk = (churn = NO_CHURN): Walk => churned(euler(), churn);
export const heunWalk = (churn = NO_CHURN): Walk => churned(heun(), churn);
export const dpm2Walk = (churn = NO_CHURN): Walk => churned(dpm2, churn);

/** The original sampler of the VP SDE: equal steps in its time, at its scale. */
export const eulerVp: Walk = (denoise, x, sigmas, options) => {
  const least = sigmas.at(-1) || sigmas.at(-2)!;
  const schedule = preserving(betasBetween(least, sigmas[0]!));
  return churned(euler({ schedule, scaling: unitVariance }), NO_CHURN)(denoise, x, sigmas, options);
};

/** The original sampler of the VE SDE: its time is the variance. */
export const eulerVe: Walk = churned(euler({ schedule: exploding, scaling: unscaled }), NO_CHURN);
