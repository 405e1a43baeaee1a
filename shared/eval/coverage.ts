// How many modes of a grid of Gaussians a sample covers, as the field counts them (Srivastava et al. 2017; Lin et al. 2018).

import { exactLog } from "../rng/exact-math.ts";
import { countOf, type Rows, squaredDistance } from "./rows.ts";

interface GridOptions {
  /** The modes' centres, [m, 2]. */
  readonly centres: Rows;
  readonly std: number;
  /** A point is of high quality within so many standard deviations of its nearest centre. */
  readonly within: number;
}

export interface Coverage {
  /** Points of high quality, by mode. */
  readonly counts: readonly number[];
  /** Modes with one or more. */
  readonly modes: number;
  /** Share of all points. */
  readonly highQuality: number;
  /** KL divergence of the counts from equal ones, in nats; null without any. */
  readonly klToUniform: number | null;
}

export function coverageOf(points: Rows, { centres, std, within }: GridOptions): Coverage {
  const counts: number[] = new Array(countOf(centres)).fill(0);
  for (let i = 0; i < countOf(points); i++) {
    const { mode, square } = nearest(points, i, centres);
    if (square <= (within * std) ** 2) counts[mode]!++;
  }
  const total = counts.reduce((sum, n) => sum + n, 0);
  return {
    counts,
    modes: counts.filter((n) => n > 0).length,
    highQuality: total / countOf(points),
    klToUniform: total === 0 ? null : klToUniform(counts),
  };
}

/** KL divergence of counts, not all 0, from equal ones: in nats. */
export function klToUniform(counts: readonly number[]): number {
  const total = counts.reduce((sum, n) => sum + n, 0);
  return counts.reduce((sum, n) => sum + (n === 0 ? 0 : (n / total) * exactLog((n / total) * counts.length)), 0);
}

function nearest(points: Rows, i: number, centres: Rows) {
  let [mode, square] = [0, Number.POSITIVE_INFINITY];
  for (let m = 0; m < countOf(centres); m++) {
    const distance = squaredDistance(points, i, centres, m);
    if (distance < square) [mode, square] = [m, distance];
  }
  return { mode, square };
}

/** Of a square grid around 0: centre [i, j] is row i side + j. */
export function gridCentres(side: number, along: (i: number) => number): Rows {
  const values = Array.from({ length: side * side }, (_, k) => [along(Math.floor(k / side)), along(k % side)]);
  return { values: values.flat(), d: 2 };
}
