// The variance-preserving SDE and its sub-VP variant: Song et al. 2021, Eqs. 11 and 13 and App. B and C. t in (0, 1],
// beta(t) = betaMin + t (betaMax - betaMin).

import { exactExp, exactExpm1, exactLog, exactLog1p } from "../../rng/exact-math.ts";
import type { NoiseProcess, ProcessKind, ProcessOptions } from "./process.ts";

/** Least times of training and of sampling: score_sde. */
const TRAIN_EPS = 1e-5;
const SAMPLE_EPS = 1e-3;

/** How much larger a network's time input is than t. */
const LABEL_SCALE = 999;

interface Shape {
  /** sigma from the integral B of beta over [0, t]. */
  sigma(B: number): number;
  /** B from sigma / alpha. */
  integral(ratio: number): number;
  /** g^2 / beta. */
  share(B: number): number;
}

/** sigma^2 = 1 - exp(-B). */
const preserving: Shape = {
  sigma: (B) => Math.sqrt(-exactExpm1(-B)),
  integral: (ratio) => exactLog1p(ratio * ratio),
  share: () => 1,
};

/** sigma = 1 - exp(-B): no square root. */
const below: Shape = {
  sigma: (B) => -exactExpm1(-B),
  // alpha = y, sigma = 1 - y^2, so y^2 + ratio y - 1 = 0.
  integral: (ratio) => -2 * exactLog((Math.sqrt(ratio * ratio + 4) - ratio) / 2),
  share: (B) => -exactExpm1(-2 * B),
};

/** beta(t) = betaMin + t slope, its integral B over [0, t], and the t of B(t) = b. */
export const linearBeta = (betaMin: number, slope: number) => ({
  beta: (t: number): number => betaMin + slope * t,
  integral: (t: number): number => betaMin * t + 0.5 * slope * t * t,
  /** The root of a quadratic, or of a line where beta is constant. */
  timeOf: (b: number): number => (2 * b) / (betaMin + Math.sqrt(betaMin * betaMin + 2 * slope * b)),
});

const process = ({ sigma, integral, share }: Shape, { betaMin, betaMax }: ProcessOptions): NoiseProcess => {
  const { beta, integral: B, timeOf } = linearBeta(betaMin, betaMax - betaMin);
  return {
    span: { min: SAMPLE_EPS, max: 1 },
    level: (t) => ({ alpha: exactExp(-0.5 * B(t)), sigma: sigma(B(t)) }),
    timeOf: (ratio) => Math.min(1, timeOf(integral(ratio))),
    label: (t) => LABEL_SCALE * t,
    draw: (draws, n) => draws.uniforms(n).map((u) => TRAIN_EPS + u * (1 - TRAIN_EPS)),
    sde: { drift: (t) => -0.5 * beta(t), diffusion: (t) => Math.sqrt(beta(t) * share(B(t))) },
  };
};

export const vp: ProcessKind = {
  about: "Song et al. 2021, variance-preserving SDE",
  create: (options) => process(preserving, options),
};

export const subVp: ProcessKind = {
  about: "Song et al. 2021, sub-VP SDE",
  create: (options) => process(below, options),
};
