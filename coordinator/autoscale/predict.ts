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
 * Seconds of a step by its number of workers: as measured; between two measured sizes on the line through them, over the
 * busiest worker's share; beyond them from the nearest one, whose computing follows the share while the rest stays.
 * @param measured at least one size.
 */
export function predictor(measured: ReadonlyMap<number, StepTimes>, microBatches: number): (workers: number) => number {
  const known = [...measured.keys()].sort((a, b) => a - b);
  const share = (workers: number) => largestShare(workers, microBatches);
  const beyond = (workers: number, nearest: number) => {
    const { total, compute } = measured.get(nearest)!;
    const shared = Math.min(compute, total);
    return total - shared + (shared * share(workers)) / share(nearest);
  };
  const between = (workers: number, few: number, many: number) => {
    const [slow, fast] = [measured.get(few)!.total, measured.get(many)!.total];
    const way = (share(few) - share(workers)) / (share(few) - share(many) || 1);
    return slow + way * (fast - slow);
  };
  return (workers) => {
    const few = known.findLast((n) => n <= workers);
    const many = known.find((n) => n >= workers);
    if (few === undefined || many === undefined) return beyond(workers, (few ?? many)!);
    return few === many ? measured.get(few)!.total : between(workers, few, many);
  };
}
