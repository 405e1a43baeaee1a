// Procedural shapes: ten classes, any size, no files. Image k is a function of k alone: position, size and brightness
// come from its own stream, and edges are anti-aliased by counting subpixels, so the bits are the same everywhere.

import { hitsOf, INSIDE, type Inside, SUBPIXELS } from "../../scenes/draw.ts";
import type { ImageSet } from "../image-set.ts";
import { memorySet } from "../memory-set.ts";
import { countOf, numbersOf } from "./drawn.ts";
import type { Source } from "./source.ts";

const SHAPES: readonly { readonly name: string; readonly inside: Inside }[] = Object.entries(INSIDE).map(
  ([name, inside]) => ({ name, inside }),
);

export const shapes: Source = {
  usage: "shapes:[COUNT]",
  about: "procedural shapes of any size, ten classes; needs no file",
  async open(argument, { imageSize }) {
    return openShapes(countOf("shapes", argument, DEFAULT_SHAPES), imageSize);
  },
};

export const DEFAULT_SHAPES = 4096;

export function openShapes(count: number, size: number): ImageSet {
  const pixels = new Uint8Array(count * size * size);
  const labels = new Uint8Array(count);
  for (let k = 0; k < count; k++) {
    labels[k] = k % SHAPES.length;
    drawShape(pixels.subarray(k * size * size, (k + 1) * size * size), k, size);
  }
  return memorySet({
    name: `shapes:${count}`,
    pixels,
    labels,
    height: size,
    width: size,
    channels: 1,
    classes: SHAPES.map(({ name }) => name),
  });
}

function drawShape(out: Uint8Array, k: number, size: number): void {
  const [u, v, w, b] = numbersOf(k, 4) as unknown as [number, number, number, number];
  const half = size * (0.25 + 0.15 * w);
  const room = size / 2 - half;
  const cx = size / 2 + room * (2 * u - 1);
  const cy = size / 2 + room * (2 * v - 1);
  const brightness = 160 + Math.floor(95 * b);
  const { inside } = SHAPES[k % SHAPES.length]!;
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      out[y * size + x] = Math.floor((brightness * hitsOf(inside, { cx, cy, half }, x, y)) / SUBPIXELS);
}
