// Which things a picture shows: the renderer's own pictures of every thing at every place, the nearest first, as often as
// something is left that is more like a thing than like nothing. Exact on drawn pictures, and not misled by noise of some bytes.

import { type Covered, coveredBy } from "../scenes/draw.ts";
import type { Thing } from "../scenes/scene.ts";
import { COLOURS, type Colour, HALF, RGB, SHAPES, SIZES, UNITS } from "../scenes/words.ts";

/** More than a caption has, so that one too many is seen. */
const MOST_THINGS = 3;
/** What a thing must explain of the energy that it would have in full colour. */
const LEAST_SHARE = 0.4;

interface Template extends Omit<Thing, "colour"> {
  readonly covered: Covered;
  /** Sum of squares of `covered`. */
  readonly energy: number;
  /** Pixels around it: columns and rows [from, to). */
  readonly box: readonly [left: number, top: number, right: number, bottom: number];
}

/** @param side of the pictures. @returns the things in one, uint8 [side, side, 3], the clearest first. */
export function createSeeing(side: number): (pixels: Uint8Array) => Thing[] {
  const templates = allTemplates(side);
  return (pixels) => {
    const left = Float32Array.from(pixels);
    const things: Thing[] = [];
    while (things.length < MOST_THINGS) {
      const found = nearest(templates, left, side);
      if (!found) break;
      const { template, colour } = found;
      const { at, share } = template.covered;
      at.forEach((pixel, k) => {
        for (let c = 0; c < 3; c++) left[3 * pixel + c]! -= RGB[colour][c]! * share[k]!;
      });
      const { size, shape, x, y } = template;
      things.push({ size, colour, shape, x, y });
    }
    return things;
  };
}

/** Wherever a whole thing has room, at steps of a unit. */
function allTemplates(side: number): Template[] {
  return SHAPES.flatMap((shape) =>
    SIZES.flatMap((size) => {
      const [least, most] = [Math.floor(HALF[size]), Math.ceil(UNITS - HALF[size])];
      const places = Array.from({ length: most - least + 1 }, (_, k) => least + k);
      return places.flatMap((y) =>
        places.map((x): Template => {
          const covered = coveredBy({ size, shape, x, y }, side);
          const energy = covered.share.reduce((sum, a) => sum + a * a, 0);
          return { size, shape, x, y, covered, energy, box: boxOf(covered, side) };
        }),
      );
    }),
  );
}

function boxOf({ at }: Covered, side: number): Template["box"] {
  const columns = at.map((pixel) => pixel % side);
  const rows = at.map((pixel) => Math.floor(pixel / side));
  return [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
}

/** No colour is brighter in a channel, and none has less energy. */
const BRIGHTEST = Math.max(...Object.values(RGB).flat());
const LEAST_ENERGY = Math.min(...Object.values(RGB).map(([R, G, B]) => R * R + G * G + B * B));

/** Sums over boxes of what is brighter than black, all channels together. */
function brightness(left: Float32Array, side: number): (box: Template["box"]) => number {
  const wide = side + 1;
  const sums = new Float64Array(wide * wide);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const k = 3 * (y * side + x);
      const own = Math.max(0, left[k]!) + Math.max(0, left[k + 1]!) + Math.max(0, left[k + 2]!);
      const at = (y + 1) * wide + x + 1;
      sums[at] = own + sums[at - 1]! + sums[at - wide]! - sums[at - wide - 1]!;
    }
  const at = (x: number, y: number) => sums[y * wide + x]!;
  return ([x0, y0, x1, y1]) => at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0);
}

/** The thing whose picture lessens the sum of squares most; null where none explains enough. */
function nearest(templates: readonly Template[], left: Float32Array, side: number) {
  const bright = brightness(left, side);
  let best: { readonly template: Template; readonly colour: Colour; readonly gain: number } | null = null;
  for (const template of templates) {
    const { at, share } = template.covered;
    // More than its colours could gain: most templates lie where there is nothing.
    const most = 2 * BRIGHTEST * bright(template.box);
    if (most <= (1 + LEAST_SHARE) * LEAST_ENERGY * template.energy || most <= (best?.gain ?? 0)) continue;
    let [r, g, b] = [0, 0, 0];
    for (let k = 0; k < at.length; k++) {
      const [pixel, a] = [3 * at[k]!, share[k]!];
      r += a * left[pixel]!;
      g += a * left[pixel + 1]!;
      b += a * left[pixel + 2]!;
    }
    for (const colour of COLOURS) {
      const [R, G, B] = RGB[colour];
      const full = (R * R + G * G + B * B) * template.energy;
      const gain = 2 * (R * r + G * g + B * b) - full;
      if (gain > LEAST_SHARE * full && gain > (best?.gain ?? 0)) best = { template, colour, gain };
    }
  }
  return best;
}
