// The two-sample Kolmogorov-Smirnov statistic: the largest gap between two empirical distribution functions.

import { walkApart } from "./empirical.ts";

/** From 0 (alike) to 1 (apart). */
export function kolmogorovSmirnov(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let largest = 0;
  walkApart(x, y, (apart) => {
    largest = Math.max(largest, apart);
  });
  return largest;
}
