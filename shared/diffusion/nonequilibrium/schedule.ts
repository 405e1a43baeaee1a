// The schedules of Sohl-Dickstein et al. 2015: App. B.1 and the authors' code (model.py). Float64, index 0 the least noise.

import { exactExp } from "../../rng/exact-math.ts";

const LEAST = 1e-6;
const BELOW_ONE = 1e-5;

/**
 * 1 / T, 1 / (T - 1), ..., 1 / 2: the same share of the data's variance goes at every step. Squashed between 1e-6 and
 * 1 - 1e-5.
 * @param step1Beta a floor under the first one: the least variance that the model can have.
 */
export function gaussianBetas(T: number, step1Beta = 1e-3): Float64Array {
  return Float64Array.from({ length: T }, (_, t) => {
    const least = t === 0 ? LEAST + step1Beta : LEAST;
    return least + (1 - least - BELOW_ONE) / (T - t * ((T - 2) / Math.max(1, T - 1)));
  });
}

/** 1 / T, 1 / (T - 1), ..., 1, the last capped at 0.999: hardly a bit of x_0 is left in x_T. */
export const binomialBetas = (T: number): Float64Array =>
  Float64Array.from({ length: T }, (_, t) => Math.min(1 / (T - t), 0.999));

/** Bumps over time, of which a network gives a weight each. */
export interface TemporalBasis {
  /** Row-major [T, n], rows sum to 1. */
  readonly values: Float64Array;
  readonly n: number;
}

/** Place i of `count` even ones on [-1, 1]. */
const along = (i: number, count: number): number => -1 + (2 * i) / Math.max(1, count - 1);

/** n bumps at even distances over time, which runs from -1 to 1; each as wide as half of a distance. @param n at least 2. */
export const bumps = (n: number) => ({ centres: Array.from({ length: n }, (_, k) => along(k, n)), width: 1 / (n - 1) });

/** Gaussian bumps over T steps. */
export function temporalBasis(T: number, n: number): TemporalBasis {
  const { centres, width } = bumps(n);
  const values = new Float64Array(T * n);
  for (let t = 0; t < T; t++) {
    const row = values.subarray(t * n, (t + 1) * n);
    row.forEach((_, k) => {
      const distance = (along(t, T) - centres[k]!) / width;
      row[k] = exactExp(-0.5 * distance * distance);
    });
    const sum = row.reduce((total, bump) => total + bump, 0);
    row.forEach((bump, k) => {
      row[k] = bump / sum;
    });
  }
  return { values, n };
}

/** The step that a uniform number in [0, 1) draws: one of [1, T). */
export const drawnStep = (u: number, T: number): number => Math.floor(1 + u * (T - 1));
