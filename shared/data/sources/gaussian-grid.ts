// 25 Gaussians on a grid of the plane (Srivastava et al. 2017, spacing 2, standard deviation 0.05), as images of one pixel with two
// channels: how many of its modes a model covers can be counted.

import { exactCos, exactLog, exactSin } from "../../rng/exact-math.ts";
import { numbersOf } from "./drawn.ts";
import { pointSource } from "./plane.ts";
import type { Split } from "./source.ts";

interface Grid {
  /** Modes along an axis. */
  readonly side: number;
  readonly spacing: number;
}

export const GRID = { side: 5, spacing: 2, std: 0.05 };

/** What a point is divided by to lie in [-1, 1]: the outermost centres are at 4. */
const REACH = 4.5;

export const gaussianGrid = pointSource("gaussian-grid", "25 Gaussians on a grid of the plane", pointOf);

/** Coordinates of the centres along an axis, around 0. */
export const centreOf = (i: number, { side, spacing }: Grid = GRID): number => (spacing / 2) * (2 * i - (side - 1));

function pointOf(k: number, split: Split): number[] {
  const [mode, v, w] = numbersOf(k, 3, split) as unknown as [number, number, number];
  const cell = Math.floor(mode * GRID.side * GRID.side);
  // Box and Muller's pair.
  const radius = GRID.std * Math.sqrt(-2 * exactLog(1 - v));
  return [
    (centreOf(Math.floor(cell / GRID.side)) + radius * exactCos(2 * Math.PI * w)) / REACH,
    (centreOf(cell % GRID.side) + radius * exactSin(2 * Math.PI * w)) / REACH,
  ];
}

/** Points of the plane, float64 [n, 2], of pixels uint8 [n, 1, 1, 2]. */
export const pointsOf = (pixels: Uint8Array): Float64Array =>
  Float64Array.from(pixels, (byte) => (byte / 127.5 - 1) * REACH);
