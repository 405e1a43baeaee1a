// The discrete Gaussian process q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I) and everything derived from its betas
// (Ho et al. 2020, Eqs. 4-7), in float64. Index t is 0-based; t = 0 is the least noise.

import { exactLog } from "../rng/exact-math.ts";
import type { Level } from "./parameterization.ts";
import { modelTimestep, respacedBetas, spaceTimesteps } from "./respacing.ts";
import { betasOf } from "./schedules.ts";

/** Float64 [T] each, as named in the papers: alphasCumprod is abar_t, Prev abar_(t-1) (1 at t = 0), Next abar_(t+1). */
export interface Coefficients {
  readonly betas: Float64Array;
  readonly alphasCumprod: Float64Array;
  readonly alphasCumprodPrev: Float64Array;
  readonly alphasCumprodNext: Float64Array;
  readonly sqrtAlphasCumprod: Float64Array;
  readonly sqrtOneMinusAlphasCumprod: Float64Array;
  readonly logOneMinusAlphasCumprod: Float64Array;
  readonly sqrtRecipAlphasCumprod: Float64Array;
  readonly sqrtRecipm1AlphasCumprod: Float64Array;
  /** beta~_t, 0 at t = 0. */
  readonly posteriorVariance: Float64Array;
  /** Its logarithm, with the value of t = 1 at t = 0. */
  readonly posteriorLogVarianceClipped: Float64Array;
  readonly posteriorMeanCoef1: Float64Array;
  readonly posteriorMeanCoef2: Float64Array;
  /** Variance of the "fixed large" choice: beta_t, with beta~_1 at t = 0. */
  readonly fixedLargeVariance: Float64Array;
}

/** @param betas float64 [T], each in (0, 1]. */
function coefficientsOf(betas: Float64Array): Coefficients {
  const T = betas.length;
  const alphasCumprod = new Float64Array(T);
  let product = 1;
  for (let t = 0; t < T; t++) alphasCumprod[t] = product *= 1 - betas[t]!;
  const derived = derivedFrom(betas, alphasCumprod, shifted(alphasCumprod));
  const first = derived.posteriorVariance[Math.min(1, T - 1)]!;
  const clipped = (values: Float64Array) => values.map((value, t) => (t === 0 ? first : value));
  return {
    ...derived,
    posteriorLogVarianceClipped: clipped(derived.posteriorVariance).map(exactLog),
    fixedLargeVariance: clipped(betas),
  };
}

/** abar of the step before: 1 before the first. */
const shifted = (alphasCumprod: Float64Array): Float64Array =>
  alphasCumprod.map((_, t) => (t === 0 ? 1 : alphasCumprod[t - 1]!));

/** Imagen's and unCLIP's codes keep a variance of 0 from its logarithm by this. */
const LEAST_VARIANCE = 1e-20;

/**
 * Of steps from any level to any lower one, each by itself: where a process of levels is walked as a discrete one (Kingma et al.
 * 2021, App. A).
 * @param alphasCumprod, alphasCumprodPrev alpha^2 at both ends of each step, float64 [T]; those of a chain's own steps when absent.
 */
export function coefficientsBetween(
  alphasCumprod: Float64Array,
  alphasCumprodPrev: Float64Array = shifted(alphasCumprod),
): Coefficients {
  const betas = alphasCumprod.map((abar, t) => 1 - abar / alphasCumprodPrev[t]!);
  const derived = derivedFrom(betas, alphasCumprod, alphasCumprodPrev);
  return {
    ...derived,
    posteriorLogVarianceClipped: derived.posteriorVariance.map((v) => exactLog(Math.max(v, LEAST_VARIANCE))),
    fixedLargeVariance: betas,
  };
}

function derivedFrom(betas: Float64Array, alphasCumprod: Float64Array, alphasCumprodPrev: Float64Array) {
  const T = betas.length;
  const map = (f: (t: number) => number) => Float64Array.from({ length: T }, (_, t) => f(t));
  const a = (t: number) => alphasCumprod[t]!;
  return {
    betas,
    alphasCumprod,
    alphasCumprodPrev,
    alphasCumprodNext: map((t) => (t === T - 1 ? 0 : a(t + 1))),
    sqrtAlphasCumprod: map((t) => Math.sqrt(a(t))),
    sqrtOneMinusAlphasCumprod: map((t) => Math.sqrt(1 - a(t))),
    logOneMinusAlphasCumprod: map((t) => exactLog(1 - a(t))),
    sqrtRecipAlphasCumprod: map((t) => Math.sqrt(1 / a(t))),
    sqrtRecipm1AlphasCumprod: map((t) => Math.sqrt(1 / a(t) - 1)),
    posteriorVariance: map((t) => (betas[t]! * (1 - alphasCumprodPrev[t]!)) / (1 - a(t))),
    posteriorMeanCoef1: map((t) => (betas[t]! * Math.sqrt(alphasCumprodPrev[t]!)) / (1 - a(t))),
    posteriorMeanCoef2: map((t) => ((1 - alphasCumprodPrev[t]!) * Math.sqrt(1 - betas[t]!)) / (1 - a(t))),
  };
}

/** A process to sample with: its coefficients, and what the network is told at each of its steps. */
export interface Process extends Coefficients {
  readonly T: number;
  /** Original time step of each step. */
  readonly timestepMap: readonly number[];
  /** The network's time input at step i. */
  modelTimestep(i: number): number;
}

export interface ProcessOptions {
  readonly schedule: string;
  readonly timesteps: number;
  /** space_timesteps sections; all steps when absent. */
  readonly respacing?: string | readonly number[] | null;
  readonly rescaleTimesteps?: boolean;
}

/** @throws PlumeError INVALID_ARGUMENT for a schedule or a respacing that cannot be. */
export function createProcess({
  schedule,
  timesteps,
  respacing = null,
  rescaleTimesteps = false,
}: ProcessOptions): Process {
  return processOf(betasOf(schedule, timesteps), respacing, rescaleTimesteps);
}

/** A process with betas of one's own; `respacing` as in createProcess. */
export function processOf(
  original: Float64Array,
  respacing: string | readonly number[] | null = null,
  rescaleTimesteps = false,
): Process {
  const timestepMap =
    respacing === null ? Array.from(original, (_, t) => t) : spaceTimesteps(original.length, respacing);
  const betas = respacing === null ? original : respacedBetas(original, timestepMap);
  return {
    ...coefficientsOf(betas),
    T: betas.length,
    timestepMap,
    modelTimestep: (i) => modelTimestep(timestepMap, i, original.length, rescaleTimesteps),
  };
}

/** A process of levels as a discrete one, whose last step ends at x_0. @param times ascending. @param label what the network is told. */
export function levelSteps(
  times: readonly number[],
  level: (t: number) => Level,
  label: (t: number) => number,
): Process {
  const alphasCumprod = Float64Array.from(times, (t) => level(t).alpha ** 2);
  return {
    ...coefficientsBetween(alphasCumprod),
    T: times.length,
    timestepMap: times,
    modelTimestep: (i) => label(times[i]!),
  };
}
