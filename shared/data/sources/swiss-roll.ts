// The Swiss roll of Sohl-Dickstein et al. 2015, Fig. 1: points of the plane on a spiral, as images of one pixel with two
// channels. Mean 0 and spread 1 lie within [-1, 1] of a network's input; 255 values an axis.

import { exactCos, exactLog, exactSin } from "../../rng/exact-math.ts";
import { numbersOf } from "./drawn.ts";
import { pointSource } from "./plane.ts";
import type { Split } from "./source.ts";

/** Turns of the spiral, its outer radius in [-1, 1], and the standard deviation of what blurs it: scikit-learn's 1.5 to 4.5 pi. */
const [FIRST, LAST, RADIUS, BLUR] = [1.5 * Math.PI, 4.5 * Math.PI, 0.9, 0.01];

export const swissRoll = pointSource("swiss-roll", "the plane on a spiral", pointOf);

function pointOf(k: number, split: Split): number[] {
  const [u, v, w] = numbersOf(k, 3, split) as unknown as [number, number, number];
  const angle = FIRST + u * (LAST - FIRST);
  const radius = (RADIUS * angle) / LAST;
  // Box and Muller's pair.
  const blur = BLUR * Math.sqrt(-2 * exactLog(1 - v));
  return [
    radius * exactCos(angle) + blur * exactCos(2 * Math.PI * w),
    radius * exactSin(angle) + blur * exactSin(2 * Math.PI * w),
  ];
}
