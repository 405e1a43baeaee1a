// A set of vectors, as the metrics take it.

/** Row-major [n, d]. */
export interface Rows {
  readonly values: ArrayLike<number>;
  readonly d: number;
}

export const countOf = ({ values, d }: Rows): number => values.length / d;

export function squaredDistance(a: Rows, i: number, b: Rows, j: number): number {
  const { d } = a;
  let sum = 0;
  for (let k = 0; k < d; k++) {
    const gap = a.values[i * d + k]! - b.values[j * d + k]!;
    sum += gap * gap;
  }
  return sum;
}

/** Between two looks at what has come together. */
const STRETCH = 8;

/** The same where it is at most `most`; beyond that anything above it, and often much sooner. */
export function squaredDistanceUpTo(most: number, a: Rows, i: number, b: Rows, j: number): number {
  const { d } = a;
  let sum = 0;
  for (let from = 0; from < d && sum <= most; from += STRETCH)
    for (let k = from; k < Math.min(d, from + STRETCH); k++) {
      const gap = a.values[i * d + k]! - b.values[j * d + k]!;
      sum += gap * gap;
    }
  return sum;
}

export function dotProduct(a: Rows, i: number, b: Rows, j: number): number {
  const { d } = a;
  let sum = 0;
  for (let k = 0; k < d; k++) sum += a.values[i * d + k]! * b.values[j * d + k]!;
  return sum;
}

/** Sum of `of(i, j)` over all pairs of a row of `a` and a row of `b`. */
export function sumOverPairs(a: Rows, b: Rows, of: (i: number, j: number) => number): number {
  const [m, n] = [countOf(a), countOf(b)];
  let sum = 0;
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) sum += of(i, j);
  return sum;
}
