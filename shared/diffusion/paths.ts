// The time that a solver of the probability-flow ODE steps through, t to (sigma(t), s(t)), x_t = s(t) (x_0 + sigma(t) eps):
// Karras et al. 2022, Table 1. The same curve at another speed and scale, so that steps of finite length differ. Host numbers.

import { exactExpm1, exactLog1p } from "../rng/exact-math.ts";
import { linearBeta } from "./processes/vp.ts";

interface Schedule {
  sigma(t: number): number;
  timeOf(sigma: number): number;
  /** sigma'(t). */
  slope(t: number): number;
}

export interface Scaling {
  /** s where sigma is this. */
  scale(sigma: number): number;
  /** s' / s where sigma has this slope. */
  rate(sigma: number, slope: number): number;
}

export interface Path {
  readonly schedule: Schedule;
  readonly scaling: Scaling;
}

export const straight: Schedule = { sigma: (t) => t, timeOf: (sigma) => sigma, slope: () => 1 };

/** t is the variance. */
export const exploding: Schedule = {
  sigma: Math.sqrt,
  timeOf: (sigma) => sigma * sigma,
  slope: (t) => 0.5 / Math.sqrt(t),
};

/** beta(t) = betaMin + t betaSlope. */
export const preserving = ({ betaMin, betaSlope }: Betas): Schedule => {
  const { beta, integral, timeOf } = linearBeta(betaMin, betaSlope);
  const sigma = (t: number): number => Math.sqrt(exactExpm1(integral(t)));
  return {
    sigma,
    // A betaMin below 0, as between EDM's ends, has a second t of no noise; the walk ends at 0.
    timeOf: (sigma) => (sigma === 0 ? 0 : timeOf(exactLog1p(sigma * sigma))),
    slope: (t) => 0.5 * beta(t) * (sigma(t) + 1 / sigma(t)),
  };
};

interface Betas {
  readonly betaMin: number;
  readonly betaSlope: number;
}

/** The linear beta(t) whose sigma is sigmaMin at t = epsilon and sigmaMax at t = 1. */
export function betasBetween(sigmaMin: number, sigmaMax: number, epsilon = 1e-3): Betas {
  const [low, high] = [exactLog1p(sigmaMin * sigmaMin), exactLog1p(sigmaMax * sigmaMax)];
  const betaSlope = (2 * (low / epsilon - high)) / (epsilon - 1);
  return { betaMin: high - 0.5 * betaSlope, betaSlope };
}

export const unscaled: Scaling = { scale: () => 1, rate: () => 0 };

/** s keeps the variance of x_t: s^2 (1 + sigma^2) = 1. */
export const unitVariance: Scaling = {
  scale: (sigma) => 1 / Math.sqrt(1 + sigma * sigma),
  rate: (sigma, slope) => (-sigma * slope) / (1 + sigma * sigma),
};

export const STRAIGHT: Path = { schedule: straight, scaling: unscaled };
