// Importance sampling of time steps by the second moment of their losses (Nichol and Dhariwal 2021, Eq. 18): a record of the
// newest losses of each step, and what follows from it. Float64, from + - * / and sqrt alone: the same bits everywhere,
// so whoever keeps the record decides alike.

import { invariant } from "../invariant.ts";

/** The newest losses of each step. */
export interface LossHistory {
  /** Losses remembered of a step. */
  readonly perStep: number;
  /** Float64 [T, perStep], oldest first. */
  readonly losses: Float64Array;
  /** Losses seen of each step, at most perStep: int32 [T]. */
  readonly counts: Int32Array;
}

/** A record without losses for a process of T steps. */
export function emptyHistory(T: number, perStep = 10): LossHistory {
  return { perStep, losses: new Float64Array(T * perStep), counts: new Int32Array(T) };
}

/**
 * @param t steps, in order. @param losses as many, unweighted; one that is not finite is not remembered, for no draw would be
 * possible by it. @returns the record with them; the given one stays.
 */
export function withLosses(history: LossHistory, t: ArrayLike<number>, losses: ArrayLike<number>): LossHistory {
  invariant(t.length === losses.length, "every loss has its time step");
  const { perStep } = history;
  const next = { perStep, losses: history.losses.slice(), counts: history.counts.slice() };
  for (let k = 0; k < t.length; k++) {
    if (!Number.isFinite(losses[k])) continue;
    const own = next.losses.subarray(t[k]! * perStep, (t[k]! + 1) * perStep);
    if (next.counts[t[k]!] === perStep) own.copyWithin(0, 1);
    else next.counts[t[k]!]!++;
    own[next.counts[t[k]!]! - 1] = losses[k]!;
  }
  return next;
}

/** Each step has as many losses as are remembered. */
export const isWarm = ({ perStep, counts }: LossHistory): boolean => counts.every((count) => count === perStep);

/**
 * Weights of the steps: all 1 until each has perStep losses, then p_t in proportion to sqrt(E[L_t^2]), mixed with a little of
 * the uniform distribution so that no step is forgotten. Float64 [T].
 */
export function timestepWeights(history: LossHistory, uniformShare = 0.001): Float64Array {
  const { perStep, losses, counts } = history;
  const T = counts.length;
  if (!isWarm(history)) return new Float64Array(T).fill(1);
  const roots = Float64Array.from({ length: T }, (_, t) => {
    let sum = 0;
    for (let k = t * perStep; k < (t + 1) * perStep; k++) sum += losses[k]! * losses[k]!;
    return Math.sqrt(sum / perStep);
  });
  const total = sumOf(roots);
  if (total === 0) return new Float64Array(T).fill(1); // nothing is left to learn of any
  return roots.map((root) => (root / total) * (1 - uniformShare) + uniformShare / T);
}

/** Time steps by their weights. @param u uniform in [0, 1). @returns int32 [n]. */
export function drawTimesteps(weights: Float64Array, u: Float64Array): Int32Array {
  let sum = 0;
  const cumulative = weights.map((weight) => {
    sum += weight;
    return sum;
  });
  return Int32Array.from(u, (share) => firstAbove(cumulative, share * sum));
}

/** Of an ascending sequence the first index whose value is above x, or the last one. */
function firstAbove(ascending: Float64Array, x: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! > x) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What the loss of a drawn step counts, so that the mean stays that of uniform steps: 1 / (T p_t), float64 [T]. */
export function lossMultipliers(weights: Float64Array): Float64Array {
  const mean = sumOf(weights) / weights.length;
  return weights.map((weight) => mean / weight);
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
