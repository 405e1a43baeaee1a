// Points of the plane, each an image of one pixel with two channels.

import { memorySet } from "../memory-set.ts";
import { countOf } from "./drawn.ts";
import type { Source, Split } from "./source.ts";

const COUNT = 10_000;

/** @param pointOf the k-th point of a split, its coordinates in [-1, 1]. */
export const pointSource = (
  name: string,
  about: string,
  pointOf: (k: number, split: Split) => readonly number[],
): Source => ({
  usage: `${name}:[COUNT]`,
  about: `points of ${about}, as images of one pixel with two channels; needs no file`,
  async open(argument, { split }) {
    const count = countOf(name, argument, COUNT);
    const pixels = new Uint8Array(count * 2);
    for (let k = 0; k < count; k++) pixels.set(pointOf(k, split).map(toByte), 2 * k);
    return memorySet({
      ...{ name: `${name}:${count}`, pixels, labels: null, classes: [] },
      ...{ height: 1, width: 1, channels: 2 },
    });
  },
});

/** A coordinate in [-1, 1] as a pixel's channel, clamped. */
const toByte = (x: number): number => Math.max(0, Math.min(255, Math.floor(x * 127.5 + 128)));
