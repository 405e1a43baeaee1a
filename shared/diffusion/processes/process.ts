// The contract of a noise process: the levels x_t = alpha(t) x_0 + sigma(t) eps that a time runs through, which times
// training draws, and what the network is told of them. Host numbers, float64; nothing here knows a tensor.

import type { Level } from "../parameterization.ts";

/** Random numbers of one micro-batch, as a process may ask for them: each from a stream of its own. */
interface Draws {
  /** Uniform in [0, 1): float64 [n]. */
  uniforms(n: number): Float64Array;
  /** Standard normal: float32 [n]. */
  normals(n: number): Float32Array;
  /** Uniform below the bound: int32 [n]. */
  integers(n: number, bound: number): Int32Array;
}

export interface NoiseProcess {
  /** Times that can be sampled from, least noise first. */
  readonly span: { readonly min: number; readonly max: number };
  level(t: number): Level;
  /** The time whose sigma / alpha is this ratio: how a sampler in x / alpha finds its way back. Outside the span, its end. */
  timeOf(ratio: number): number;
  /** What the network is told at t. */
  label(t: number): number;
  /** Times of training, float64 or int32 [n]. */
  draw(draws: Draws, n: number): ArrayLike<number>;
  /** The same noise as a stochastic differential equation, where it is one. */
  readonly sde?: Sde;
}

/** dx = drift(t) x dt + diffusion(t) dw: Song et al. 2021, Eq. 5, with the linear drift that all of theirs have. t in (0, 1]. */
interface Sde {
  drift(t: number): number;
  diffusion(t: number): number;
}

/** The fields of a job's spec.diffusion that processes read. */
export interface ProcessOptions {
  readonly process: string;
  readonly schedule: string;
  readonly timesteps: number;
  readonly betaMin: number;
  readonly betaMax: number;
  readonly sigmaMin?: number | undefined;
  readonly sigmaMax?: number | undefined;
  readonly pMean: number;
  readonly pStd: number;
}

/** Of the processes whose levels are sigmas: score_sde's and EDM's. */
export const SIGMA_RANGES = { ve: { min: 0.01, max: 50 }, edm: { min: 0.002, max: 80 } } as const;

/** The job's sigmas, or the process' own. */
export function sigmaRange({ process, sigmaMin, sigmaMax }: Pick<ProcessOptions, "process" | "sigmaMin" | "sigmaMax">) {
  const { min, max } = process === "ve" ? SIGMA_RANGES.ve : SIGMA_RANGES.edm;
  return { min: sigmaMin ?? min, max: sigmaMax ?? max };
}

/** An entry of the table. */
export interface ProcessKind {
  readonly about: string;
  create(options: ProcessOptions): NoiseProcess;
}

export const ratioOf = ({ alpha, sigma }: Level): number => sigma / alpha;
