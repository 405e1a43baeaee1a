// The Swiss roll of Sohl-Dickstein et al. 2015, Fig. 1: points of the plane on a spiral, as images of one pixel with two
// channels. Mean 0 and spread 1 lie within [-1, 1] of a network's input; 255 values an axis.

import { exactCos, exactLog, exactSin } from "../../rng/exact-math.ts";
import { memorySet } from "../memory-set.ts";
import { countOf, numbersOf } from "./drawn.ts";
import { toByte } from "./plane.ts";
import type { Source, Split } from "./source.ts";

/** Turns of the spiral, its outer radius in [-1, 1], and the standard deviation of what blurs it: scikit-learn's 1.5 to 4.5 pi. */
const [FIRST, LAST, RADIUS, BLUR] = [1.5 * Math.PI, 4.5 * Math.PI, 0.9, 0.01];

export const swissRoll: Source = {
  usage: "swiss-roll:[COUNT]",
  about: "points of the plane on a spiral, as images of one pixel with two channels; needs no file",
  async open(argument, { split }) {
    const count = countOf("swiss-roll", argument, 10_000);
    const pixels = new Uint8Array(count * 2);
    for (let k = 0; k < count; k++) pixels.set(pointOf(k, split).map(toByte), 2 * k);
    return memorySet({
      name: `swiss-roll:${count}`,
      pixels,
      labels: null,
      height: 1,
      width: 1,
      channels: 2,
      classes: [],
    });
  },
};

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
