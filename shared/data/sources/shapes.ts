// Procedural shapes: ten classes, any size, no files. Image k is a function of k alone: position, size and brightness
// come from its own stream, and edges are anti-aliased by counting subpixels, so the bits are the same everywhere.

import type { ImageSet } from "../image-set.ts";
import { memorySet } from "../memory-set.ts";
import { countOf, numbersOf } from "./drawn.ts";
import type { Source } from "./source.ts";

/** Is the point inside the shape of half-size 1 centred at the origin? */
type Inside = (x: number, y: number) => boolean;

const box = (x: number, y: number, half: number) => Math.abs(x) <= half && Math.abs(y) <= half;
const disc = (x: number, y: number, radius: number) => x * x + y * y <= radius * radius;

const SHAPES: readonly { readonly name: string; readonly inside: Inside }[] = [
  { name: "disc", inside: (x, y) => disc(x, y, 1) },
  { name: "ring", inside: (x, y) => disc(x, y, 1) && !disc(x, y, 0.6) },
  { name: "square", inside: (x, y) => box(x, y, 0.9) },
  { name: "frame", inside: (x, y) => box(x, y, 0.95) && !box(x, y, 0.55) },
  { name: "triangle", inside: (x, y) => y <= 0.9 && y >= 2 * Math.abs(x) * 0.9 - 0.9 },
  { name: "diamond", inside: (x, y) => Math.abs(x) + Math.abs(y) <= 1 },
  {
    name: "plus",
    inside: (x, y) => (Math.abs(x) <= 0.3 && Math.abs(y) <= 1) || (Math.abs(y) <= 0.3 && Math.abs(x) <= 1),
  },
  { name: "cross", inside: (x, y) => box(x, y, 0.95) && (Math.abs(x - y) <= 0.4 || Math.abs(x + y) <= 0.4) },
  { name: "bars-horizontal", inside: (x, y) => box(x, y, 1) && Math.floor((y + 1) * 2.5) % 2 === 0 },
  { name: "bars-vertical", inside: (x, y) => box(x, y, 1) && Math.floor((x + 1) * 2.5) % 2 === 0 },
];

export const shapes: Source = {
  usage: "shapes:[COUNT]",
  about: "procedural shapes of any size, ten classes; needs no file",
  async open(argument, { imageSize }) {
    return openShapes(countOf("shapes", argument, DEFAULT_SHAPES), imageSize);
  },
};

export const DEFAULT_SHAPES = 4096;
/** Subpixels a side. */
const FINE = 4;

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
    for (let x = 0; x < size; x++) {
      let hits = 0;
      for (let i = 0; i < FINE; i++)
        for (let j = 0; j < FINE; j++)
          if (inside((x + (j + 0.5) / FINE - cx) / half, (y + (i + 0.5) / FINE - cy) / half)) hits++;
      out[y * size + x] = Math.floor((brightness * hits) / (FINE * FINE));
    }
}
