// What a step would take at another size, and which sizes are worth asking for. Pure arithmetic.

import type { StepTimes } from "./sizes.ts";

export interface SizeBounds {
  readonly min: number;
  readonly max: number;
  /** Workers come and go so many at a time. */
  readonly perPod: number;
  /** V: micro-batches of a step. */
  readonly microBatches: number;
}

/** Micro-batches of the worker that has most of them. */
const largestShare = (workers: number, microBatches: number): number => Math.ceil(microBatches / workers);

/**
 * Ascending, never empty: of all sizes within the bounds that give the busiest worker the same share, the smallest. One
 * more than that would wait for the busiest.
 */
export function usefulSizes({ min, max, perPod, microBatches }: SizeBounds): readonly number[] {
  const whole = (n: number) => Math.ceil(n / perPod) * perPod;
  const sizes: number[] = [];
  for (let n = whole(Math.max(1, min)); n <= max; n += perPod) {
    const before = sizes.at(-1);
    if (before === undefined || largestShare(n, microBatches) < largestShare(before, microBatches)) sizes.push(n);
  }
  return sizes.length > 0 ? sizes : [Math.max(perPod, Math.floor(max / perPod) * perPod)];
}

/**
 * Seconds of a step by its number of workers: as measured; else from the nearest size that was: what its slowest worker
 * computed shrinks or grows with the share, the rest stays. @param measured at least one size.
 */
export function predictor(
  measured: ReadonlyMap<number, StepTimes>,
  microBatches: number,
): (workers: number) => number {
  const known = [...measured.keys()].sort((a, b) => a - b);
  return (workers) => {
    const nearest = known.reduce((best, n) => (distance(n, workers) < distance(best, workers) ? n : best));
    const { total, compute } = measured.get(nearest)!;
    if (nearest === workers) return total;
    const shared = Math.min(compute, total);
    const share = largestShare(workers, microBatches) / largestShare(nearest, microBatches);
    return total - shared + shared * share;
  };
}

const distance = (a: number, b: number): number => Math.abs(Math.log(a / b));
