// Beta schedules of the discrete process, float64, index 0 the least noise. guided-diffusion's linear and cosine
// (Nichol and Dhariwal 2021, Eq. 17), and those of the DDPM code (Ho et al. 2020).

import { PlumeError } from "../errors.ts";
import { exactCos } from "../rng/exact-math.ts";

/** The first and the last beta, in (0, 1); the schedule's own where absent. */
export interface BetaRange {
  readonly betaStart?: number;
  readonly betaEnd?: number;
}

type Schedule = (timesteps: number, range: BetaRange) => Float64Array;

export const linspace = (from: number, to: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) =>
    i === n - 1 && n > 1 ? to : from + (i * (to - from)) / Math.max(1, n - 1),
  );

/** 1e-4 to 0.02 for T = 1000; other T keep the amount of noise by scaling with 1000 / T, unless a range is given. */
const linear: Schedule = (T, { betaStart, betaEnd }) => {
  const scale = betaStart === undefined && betaEnd === undefined ? 1000 / T : 1;
  return linspace(scale * (betaStart ?? 1e-4), scale * (betaEnd ?? 0.02), T);
};

/** abar(t) = cos^2((t + 0.008) / 1.008 pi/2); beta is capped at 0.999. */
const cosine: Schedule = (T) => {
  const alphaBar = (t: number) => {
    const root = exactCos((((t + 0.008) / 1.008) * Math.PI) / 2);
    return root * root;
  };
  return Float64Array.from({ length: T }, (_, i) => Math.min(1 - alphaBar((i + 1) / T) / alphaBar(i / T), 0.999));
};

/** Linear in the square root of beta. */
const quad: Schedule = (T, { betaStart = 1e-4, betaEnd = 0.02 }) =>
  linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), T).map((root) => root * root);

const constant: Schedule = (T, { betaEnd = 0.02 }) => new Float64Array(T).fill(betaEnd);

/** 1/T, 1/(T-1), ..., 1. */
const jsd: Schedule = (T) => linspace(T, 1, T).map((x) => 1 / x);

const warmup =
  (fraction: number): Schedule =>
  (T, { betaStart = 1e-4, betaEnd = 0.02 }) => {
    const betas = new Float64Array(T).fill(betaEnd);
    const steps = Math.floor(T * fraction);
    betas.set(linspace(betaStart, betaEnd, steps));
    return betas;
  };

export const SCHEDULES = {
  linear,
  cosine,
  quad,
  const: constant,
  jsd,
  warmup10: warmup(0.1),
  warmup50: warmup(0.5),
} satisfies Record<string, Schedule>;

type ScheduleName = keyof typeof SCHEDULES;

/** @throws PlumeError INVALID_ARGUMENT for an unknown name, or betas outside (0, 1]. */
export function betasOf(name: string, timesteps: number, range: BetaRange = {}): Float64Array {
  if (!(name in SCHEDULES))
    throw new PlumeError("INVALID_ARGUMENT", `schedule ${name} is unknown`, {
      remedy: `use one of ${Object.keys(SCHEDULES).join(", ")}`,
    });
  const betas = SCHEDULES[name as ScheduleName](timesteps, range);
  if (betas.some((beta) => !(beta > 0 && beta <= 1)))
    throw new PlumeError("INVALID_ARGUMENT", `schedule ${name} has betas outside (0, 1] for T = ${timesteps}`, {
      remedy: "the linear schedule needs more than 20 timesteps",
    });
  return betas;
}
