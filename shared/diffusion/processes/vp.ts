// The variance-preserving SDE and its sub-VP variant: Song et al. 2021, Eqs. 11 and 13 and App. B and C. t in (0, 1],
// beta(t) = betaMin + t (betaMax - betaMin).

import { PlumeError } from "../../errors.ts";
import { exactExp, exactExpm1, exactLog, exactLog1p } from "../../rng/exact-math.ts";
import { type Process, processOf } from "../process.ts";
import { linspace } from "../schedules.ts";
import {
  type Discretization,
  eulerSteps,
  type LinearNoise,
  type NoiseProcess,
  type ProcessKind,
  type ProcessOptions,
} from "./process.ts";

/** Least times of training and of sampling: score_sde. */
const TRAIN_EPS = 1e-5;
const SAMPLE_EPS = 1e-3;

/** How much larger a network's time input is than t. */
const LABEL_SCALE = 999;

type Betas = Pick<ProcessOptions, "betaMin" | "betaMax">;

interface Shape {
  /** sigma from the integral B of beta over [0, t]. */
  sigma(B: number): number;
  /** B from sigma / alpha. */
  integral(ratio: number): number;
  /** g^2 / beta. */
  share(B: number): number;
  /** Its N steps. @param ddpm those of DDPM with the same betas; throws where they are too few for that. */
  steps(sde: LinearNoise, N: number, ddpm: () => Discretization): Discretization;
}

/** sigma^2 = 1 - exp(-B). */
const preserving: Shape = {
  sigma: (B) => Math.sqrt(-exactExpm1(-B)),
  integral: (ratio) => exactLog1p(ratio * ratio),
  share: () => 1,
  steps: (_sde, _N, ddpm) => ddpm(),
};

/** sigma = 1 - exp(-B): no square root. */
const below: Shape = {
  sigma: (B) => -exactExpm1(-B),
  // alpha = y, sigma = 1 - y^2, so y^2 + ratio y - 1 = 0.
  integral: (ratio) => -2 * exactLog((Math.sqrt(ratio * ratio + 4) - ratio) / 2),
  share: (B) => -exactExpm1(-2 * B),
  // No discrete process has it as its limit: DDPM's steps matter to Langevin's alone.
  steps: (sde, N, ddpm) => ({
    ...eulerSteps(sde, N),
    get alpha() {
      return ddpm().alpha;
    },
  }),
};

/** DDPM's steps: Song et al. 2021, App. E and F. */
function ddpmSteps({ T, betas, sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod }: Process): Discretization {
  const beta = (t: number): number => betas[Math.trunc(t * (T - 1))]!;
  return {
    drift: (t) => Math.sqrt(1 - beta(t)) - 1,
    diffusion: (t) => Math.sqrt(beta(t)),
    alpha: (t) => 1 - beta(t),
    ancestral: (t) => ({ scale: 1 / Math.sqrt(1 - beta(t)), gain: beta(t), spread: Math.sqrt(beta(t)) }),
    network: {
      label: (t) => t * (T - 1),
      levels: Array.from(betas, (_, i) => ({ alpha: sqrtAlphasCumprod[i]!, sigma: sqrtOneMinusAlphasCumprod[i]! })),
    },
  };
}

/** Of N steps, float64 [N]: Song et al. 2021, App. C. */
function discreteBetas({ betaMin, betaMax }: Betas, N: number): Float64Array {
  if (N <= betaMax)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `${N} steps are too few for betaMax ${betaMax}: a step's beta must be below 1`,
      {
        remedy: `use more than ${Math.floor(betaMax)} steps, or the sampler euler-maruyama`,
      },
    );
  return linspace(betaMin / N, betaMax / N, N);
}

/** beta(t) = betaMin + t slope, its integral B over [0, t], and the t of B(t) = b. */
export const linearBeta = (betaMin: number, slope: number) => ({
  beta: (t: number): number => betaMin + slope * t,
  integral: (t: number): number => betaMin * t + 0.5 * slope * t * t,
  /** The root of a quadratic, or of a line where beta is constant. */
  timeOf: (b: number): number => (2 * b) / (betaMin + Math.sqrt(betaMin * betaMin + 2 * slope * b)),
});

const process = (shape: Shape, options: Betas): NoiseProcess => {
  const { sigma, integral, share, steps } = shape;
  const { betaMin, betaMax } = options;
  const { beta, integral: B, timeOf } = linearBeta(betaMin, betaMax - betaMin);
  const sde = { drift: (t: number) => -0.5 * beta(t), diffusion: (t: number) => Math.sqrt(beta(t) * share(B(t))) };
  return {
    span: { min: SAMPLE_EPS, max: 1 },
    level: (t) => ({ alpha: exactExp(-0.5 * B(t)), sigma: sigma(B(t)) }),
    timeOf: (ratio) => Math.min(1, timeOf(integral(ratio))),
    label: (t) => LABEL_SCALE * t,
    draw: (draws, n) => draws.uniforms(n).map((u) => TRAIN_EPS + u * (1 - TRAIN_EPS)),
    sde: { ...sde, prior: 1, discrete: (N) => steps(sde, N, () => ddpmSteps(processOf(discreteBetas(options, N)))) },
  };
};

export const vp = {
  about: "Song et al. 2021, variance-preserving SDE",
  create: (options: Betas) => process(preserving, options),
} satisfies ProcessKind;

export const subVp = {
  about: "Song et al. 2021, sub-VP SDE",
  create: (options: Betas) => process(below, options),
} satisfies ProcessKind;
