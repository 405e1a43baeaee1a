// The squared energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'| of two sets of vectors (Szekely and Rizzo 2013, Eq. 5),
// as a V-statistic: pairs of a row with itself count, so that it is never negative. Float64.

import { countOf, type Rows, squaredDistance, sumOverPairs } from "./rows.ts";

export function squaredEnergyDistance(x: Rows, y: Rows): number {
  return 2 * meanDistance(x, y) - meanDistance(x, x) - meanDistance(y, y);
}

const meanDistance = (a: Rows, b: Rows): number =>
  sumOverPairs(a, b, (i, j) => Math.sqrt(squaredDistance(a, i, b, j))) / (countOf(a) * countOf(b));
