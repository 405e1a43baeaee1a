// Shapes as pixels: edges are anti-aliased by counting subpixels, so the bits are the same everywhere.

import type { Thing } from "./scene.ts";
import { HALF, RGB, type Shape, UNITS } from "./words.ts";

/** Is the point inside the shape of half-size 1 centred at the origin? y grows downwards. */
export type Inside = (x: number, y: number) => boolean;

const box = (x: number, y: number, half: number) => Math.abs(x) <= half && Math.abs(y) <= half;
const disc = (x: number, y: number, radius: number) => x * x + y * y <= radius * radius;

export const INSIDE = {
  disc: (x, y) => disc(x, y, 1),
  ring: (x, y) => disc(x, y, 1) && !disc(x, y, 0.6),
  square: (x, y) => box(x, y, 0.9),
  frame: (x, y) => box(x, y, 0.95) && !box(x, y, 0.55),
  triangle: (x, y) => y <= 0.9 && y >= 2 * Math.abs(x) * 0.9 - 0.9,
  diamond: (x, y) => Math.abs(x) + Math.abs(y) <= 1,
  plus: (x, y) => (Math.abs(x) <= 0.3 && Math.abs(y) <= 1) || (Math.abs(y) <= 0.3 && Math.abs(x) <= 1),
  cross: (x, y) => box(x, y, 0.95) && (Math.abs(x - y) <= 0.4 || Math.abs(x + y) <= 0.4),
  "bars-horizontal": (x, y) => box(x, y, 1) && Math.floor((y + 1) * 2.5) % 2 === 0,
  "bars-vertical": (x, y) => box(x, y, 1) && Math.floor((x + 1) * 2.5) % 2 === 0,
} satisfies Record<string, Inside>;

/** Subpixels a side. */
const FINE = 4;
/** Of a pixel. */
export const SUBPIXELS = FINE * FINE;

/** Where a shape lies, in pixels. */
export interface Lying {
  readonly cx: number;
  readonly cy: number;
  readonly half: number;
}

/** How many subpixels of pixel (x, y) are inside. */
export function hitsOf(inside: Inside, { cx, cy, half }: Lying, x: number, y: number): number {
  let hits = 0;
  for (let i = 0; i < FINE; i++)
    for (let j = 0; j < FINE; j++)
      if (inside((x + (j + 0.5) / FINE - cx) / half, (y + (i + 0.5) / FINE - cy) / half)) hits++;
  return hits;
}

const OF_WORD: Readonly<Record<Shape, Inside>> = {
  circle: INSIDE.disc,
  square: INSIDE.square,
  triangle: INSIDE.triangle,
  cross: INSIDE.plus,
};

/** The pixels that a thing covers, and how much of each, from 0 to 1. */
export interface Covered {
  /** Numbers of pixels, row by row. */
  readonly at: Int32Array;
  readonly share: Float32Array;
}

export function coveredBy({ size, shape, x, y }: Omit<Thing, "colour">, side: number): Covered {
  const scale = side / UNITS;
  const lying = { cx: x * scale, cy: y * scale, half: HALF[size] * scale };
  const from = (centre: number) => Math.max(0, Math.floor(centre - lying.half));
  const to = (centre: number) => Math.min(side, Math.ceil(centre + lying.half));
  const [at, share]: [number[], number[]] = [[], []];
  for (let row = from(lying.cy); row < to(lying.cy); row++)
    for (let column = from(lying.cx); column < to(lying.cx); column++) {
      const hits = hitsOf(OF_WORD[shape], lying, column, row);
      if (hits === 0) continue;
      at.push(row * side + column);
      share.push(hits / SUBPIXELS);
    }
  return { at: Int32Array.from(at), share: Float32Array.from(share) };
}

/** Things that do not overlap, on black. @param out uint8 [side, side, 3], of zeros. */
export function drawThings(out: Uint8Array, things: readonly Thing[], side: number): void {
  for (const thing of things) {
    const { at, share } = coveredBy(thing, side);
    at.forEach((pixel, k) => {
      for (let c = 0; c < 3; c++) out[3 * pixel + c]! += Math.floor(RGB[thing.colour][c]! * share[k]! + 0.5);
    });
  }
}
