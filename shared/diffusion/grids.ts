// The noise levels that a sampler visits, highest first, float64 [n]: sigma of x_0 + sigma eps.

import { exactExp, exactLog, exactPow } from "../rng/exact-math.ts";
import { betasBetween, preserving } from "./paths.ts";
import { createProcess } from "./process.ts";
import { type NoiseProcess, ratioOf } from "./processes/process.ts";
import { roundHalfEven } from "./respacing.ts";

/** Its own parameter comes last. */
type LevelGrid = (n: number, sigmaMin: number, sigmaMax: number, own?: number) => Float64Array;

const ramp = (n: number, f: (u: number) => number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => f(n === 1 ? 0 : i / (n - 1)));

/** Karras et al. 2022, Eq. 5. */
export const karras: LevelGrid = (n, sigmaMin, sigmaMax, rho = 7) => {
  const [low, high] = [exactPow(sigmaMin, 1 / rho), exactPow(sigmaMax, 1 / rho)];
  return ramp(n, (u) => exactPow(high + u * (low - high), rho));
};

/** Uniform in log sigma ^ rho; rho 1 is k-diffusion's exponential grid, uniform in log-SNR. */
export const polyexponential: LevelGrid = (n, sigmaMin, sigmaMax, rho = 1) => {
  const [low, high] = [exactLog(sigmaMin), exactLog(sigmaMax)];
  return ramp(n, (u) => exactExp(exactPow(1 - u, rho) * (high - low) + low));
};

/** Uniform in t ^ (1 / power) from the first time to the last: power 2 is DDIM's quadratic grid. */
export const inTime = (
  n: number,
  sigmaOf: (t: number) => number,
  first: number,
  last: number,
  power = 1,
): Float64Array => {
  const [a, b] = [exactPow(first, 1 / power), exactPow(last, 1 / power)];
  return ramp(n, (u) => sigmaOf(exactPow(a + u * (b - a), power)));
};

/** Uniform in the time of the VP SDE that runs between the ends: Karras et al. 2022, Table 1. */
export const vpTime: LevelGrid = (n, sigmaMin, sigmaMax, epsilon = 1e-3) =>
  inTime(n, preserving(betasBetween(sigmaMin, sigmaMax, epsilon)).sigma, 1, epsilon);

/** Those of the steps of iDDPM's cosine process that lie between the ends, evenly picked: Karras et al. 2022, Table 1. */
export const iddpm: LevelGrid = (n, sigmaMin, sigmaMax, steps = 1000) => {
  const { alphasCumprod } = createProcess({ schedule: "cosine", timesteps: steps });
  const levels = alphasCumprod.map((alphaBar) => Math.sqrt((1 - alphaBar) / alphaBar)).reverse();
  const within = levels.filter((sigma) => sigma >= sigmaMin && sigma <= sigmaMax);
  return ramp(n, (u) => within[roundHalfEven(u * (within.length - 1))]!);
};

/** A grid over a process' span. */
interface Grid {
  readonly about: string;
  levels(n: number, process: NoiseProcess): Float64Array;
}

const overLevels = (about: string, grid: LevelGrid): Grid => ({
  about,
  levels: (n, { span, level }) => grid(n, ratioOf(level(span.min)), ratioOf(level(span.max))),
});

const overTime = (about: string, power: number): Grid => ({
  about,
  levels: (n, { span, level }) => inTime(n, (t) => ratioOf(level(t)), span.max, span.min, power),
});

export const GRIDS = {
  karras: overLevels("Karras et al. 2022, rho 7", karras),
  exponential: overLevels("uniform in log-SNR", polyexponential),
  vp: overLevels("uniform in the time of a VP SDE between the same ends", vpTime),
  time: overTime("uniform in the process' own time", 1),
  "time-quadratic": overTime("uniform in the root of that time", 2),
} satisfies Record<string, Grid>;

export type GridName = keyof typeof GRIDS;
