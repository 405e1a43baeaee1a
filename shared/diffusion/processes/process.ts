// The contract of a noise process: the levels x_t = alpha(t) x_0 + sigma(t) eps that a time runs through, which times
// training draws, and what the network is told of them. Host numbers, float64; nothing here knows a tensor.

import type { Level } from "../parameterization.ts";
import type { Process } from "../process.ts";

/** Random numbers of one micro-batch, as a process may ask for them: each from a stream of its own. */
export interface Draws {
  /** Uniform in [0, 1): float64 [n]. */
  uniforms(n: number): Float64Array;
  /** Standard normal: float32 [n]. */
  normals(n: number): Float32Array;
  /** Uniform below the bound: int32 [n]. */
  integers(n: number, bound: number): Int32Array;
}

/** What training and networks know of any process. */
export interface Times {
  /** Times that can be sampled from, least noise first. */
  readonly span: { readonly min: number; readonly max: number };
  /** What the network is told at t. */
  label(t: number): number;
  /** Times of training, float64 or int32 [n]. */
  draw(draws: Draws, n: number): ArrayLike<number>;
}

export interface NoiseProcess extends Times {
  level(t: number): Level;
  /** The time whose sigma / alpha is this ratio: how a sampler in x / alpha finds its way back. Outside the span, its end. */
  timeOf(ratio: number): number;
  /** The same in n steps, for samplers that go from step to step by its posterior. */
  steps?(n: number): Process;
  /** The same noise as a stochastic differential equation, where samplers know one. */
  readonly sde?: Sde;
  /** The same in t, for its probability flow alone, where there is no `sde`. */
  readonly flow?: ContinuousNoise;
}

export type SdeProcess = NoiseProcess & { readonly sde: Sde };

/** f(x, t) = drift(t) x, and the factor of the noise: an SDE's over dt, or those of one step. */
export interface LinearNoise {
  drift(t: number): number;
  diffusion(t: number): number;
}

/** dx = drift(t) x dt + diffusion(t) dw: Song et al. 2021, Eq. 5, with the linear drift that all of theirs have. */
export interface ContinuousNoise extends LinearNoise {
  /** The prior is N(0, prior^2 I): what x at the last time is taken for. */
  readonly prior: number;
}

/** t in (0, 1]. */
export interface Sde extends ContinuousNoise {
  /** @throws PlumeError INVALID_ARGUMENT where so few steps would each be more than all noise. */
  discrete(N: number): Discretization;
}

/** The SDE in N steps x_(i+1) = x_i + drift x_i + diffusion z, at times in (0, 1]: Song et al. 2021, Eq. 45 and App. E. */
export interface Discretization extends LinearNoise {
  /** Factor of a Langevin step: Song et al. 2021, Algorithms 4 and 5. */
  alpha(t: number): number;
  /** One step back is scale (x + gain score) + spread z, where it is known: Song et al. 2021, App. F. */
  ancestral?(t: number): { readonly scale: number; readonly gain: number; readonly spread: number };
  /** Networks that know these steps only, DDPM's and SMLD's: what they are told at t, and the level by the whole part of it. */
  readonly network?: { label(t: number): number; readonly levels: readonly Level[] };
}

/** Euler and Maruyama's steps of 1 / N. */
export const eulerSteps = ({ drift, diffusion }: LinearNoise, N: number): LinearNoise => ({
  drift: (t) => drift(t) / N,
  diffusion: (t) => diffusion(t) / Math.sqrt(N),
});

/** The fields of a job's spec.diffusion that processes read. */
export interface ProcessOptions {
  readonly schedule: string;
  readonly timesteps: number;
  readonly betaMin: number;
  readonly betaMax: number;
  readonly sigmaMin?: number | undefined;
  readonly sigmaMax?: number | undefined;
  readonly pMean: number;
  readonly pStd: number;
}

interface Sigmas {
  readonly min: number;
  readonly max: number;
}

/** Of the processes whose levels are sigmas: score_sde's and EDM's. */
export const SIGMA_RANGES = { ve: { min: 0.01, max: 50 }, edm: { min: 0.002, max: 80 } } as const;

/** The job's sigmas, or the process' own. */
export const sigmaRange = (
  own: Sigmas,
  { sigmaMin = own.min, sigmaMax = own.max }: Pick<ProcessOptions, "sigmaMin" | "sigmaMax">,
): Sigmas => ({ min: sigmaMin, max: sigmaMax });

/** An entry of the table. */
export interface ProcessKind {
  readonly about: string;
  create(options: ProcessOptions): NoiseProcess;
}

export const ratioOf = ({ alpha, sigma }: Level): number => sigma / alpha;
