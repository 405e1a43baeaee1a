// Precision and recall of k nearest neighbours: Kynkäänniemi et al. 2019, Eqs. 1 and 2. A set's manifold is the union
// of balls around its rows, each as wide as the distance to its k-th neighbour within the set.

import { countOf, type Rows, squaredDistanceUpTo } from "./rows.ts";

interface PrecisionRecall {
  /** Share of the samples inside the reference's manifold: are they good? */
  readonly precision: number;
  /** Share of the reference inside the samples' manifold: is anything missing? */
  readonly recall: number;
}

/** Rows and their squared radii, float64 [n]. */
export interface Manifold {
  readonly rows: Rows;
  readonly radii: Float64Array;
}

/** @param k which neighbour's distance is the radius; less than the number of rows. */
export function manifoldOf(rows: Rows, k: number): Manifold {
  const n = countOf(rows);
  const nearest = Array.from({ length: n }, () => new Float64Array(k).fill(Number.POSITIVE_INFINITY));
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) {
      const most = Math.max(nearest[i]![k - 1]!, nearest[j]![k - 1]!);
      const distance = squaredDistanceUpTo(most, rows, i, rows, j);
      insert(nearest[i]!, distance);
      insert(nearest[j]!, distance);
    }
  return { rows, radii: Float64Array.from(nearest, (distances) => distances[k - 1]!) };
}

/** Keeps the smallest values, ascending. */
function insert(smallest: Float64Array, value: number): void {
  let at = smallest.length - 1;
  if (value >= smallest[at]!) return;
  for (; at > 0 && smallest[at - 1]! > value; at--) smallest[at] = smallest[at - 1]!;
  smallest[at] = value;
}

export function precisionRecall(reference: Manifold, samples: Manifold): PrecisionRecall {
  return { precision: shareInside(samples.rows, reference), recall: shareInside(reference.rows, samples) };
}

function shareInside(rows: Rows, { rows: centres, radii }: Manifold): number {
  const n = countOf(rows);
  let inside = 0;
  for (let i = 0; i < n; i++) if (isInside(rows, i, centres, radii)) inside++;
  return inside / n;
}

function isInside(rows: Rows, i: number, centres: Rows, radii: Float64Array): boolean {
  for (let j = 0; j < radii.length; j++)
    if (squaredDistanceUpTo(radii[j]!, rows, i, centres, j) <= radii[j]!) return true;
  return false;
}
