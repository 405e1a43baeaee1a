// The 1-Wasserstein distance of two samples on a line: the area between their empirical distribution functions
// (Vallender 1974).

import { walkApart } from "./empirical.ts";

/** In the unit of the values. */
export function wasserstein1(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let area = 0;
  walkApart(x, y, (apart, width) => {
    area += apart * width;
  });
  return area;
}
