// The squared maximum mean discrepancy, unbiased: Gretton et al. 2012, Eq. 3. It may be negative where both sets are
// alike. Float64.

import { exactExp } from "../rng/exact-math.ts";
import { countOf, dotProduct, type Rows, squaredDistance, sumOverPairs } from "./rows.ts";

export type Kernel = (a: Rows, i: number, b: Rows, j: number) => number;

/** (x.y / d + 1)^3: Binkowski et al. 2018, Sec. 4. */
export const cubicKernel: Kernel = (a, i, b, j) => {
  const base = dotProduct(a, i, b, j) / a.d + 1;
  return base * base * base;
};

/** exp(-|x - y|^2 / (2 bandwidth^2)). */
export const rbfKernel =
  (bandwidth: number): Kernel =>
  (a, i, b, j) =>
    exactExp(-squaredDistance(a, i, b, j) / (2 * bandwidth * bandwidth));

/** @param x, y at least two rows each, of one width. */
export function squaredMmd(x: Rows, y: Rows, kernel: Kernel): number {
  const cross = sumOverPairs(x, y, (i, j) => kernel(x, i, y, j)) / (countOf(x) * countOf(y));
  return meanWithin(x, kernel) + meanWithin(y, kernel) - 2 * cross;
}

/** A reference is compared with many sets: its own mean, half of all the work, is computed once. */
const means = new WeakMap<Rows, Map<Kernel, number>>();

/** Mean of the kernel over pairs of different rows; it is symmetric, so that one of (i, j), (j, i) tells both. */
function meanWithin(x: Rows, kernel: Kernel): number {
  const known = means.get(x)?.get(kernel);
  if (known !== undefined) return known;
  const n = countOf(x);
  let sum = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) sum += kernel(x, i, x, j);
  const mean = (2 * sum) / (n * (n - 1));
  means.set(x, new Map([...(means.get(x) ?? []), [kernel, mean]]));
  return mean;
}
