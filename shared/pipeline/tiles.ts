// How images are cut into what is computed together. A sample grid into tiles of a fixed number for workers, so that it never
// depends on how many workers there are.

import type { JobSpec } from "../config/schema.ts";
import { givesImages } from "../models/index.ts";
import type { Block } from "../tensor/tree.ts";

const TILE = 8;

/** Images of a job's sample grid: none where its network gives none. */
export const gridImages = ({ model, sampling }: JobSpec): number => (givesImages(model.type) ? sampling.count : 0);

/** Classes that images can be asked for: the model's own, or else those of a classifier that guides it; 0 for none. */
export const shownClasses = ({ model }: Pick<JobSpec, "model">, classifier?: { readonly spec: JobSpec }): number =>
  model.classes || (classifier?.spec.model.classes ?? 0);

/** The numbers of so many images, `most` together at most. */
export const batchesOf = (count: number, most: number): number[][] =>
  Array.from({ length: Math.ceil(count / most) }, (_, k) =>
    Array.from({ length: Math.min(most, count - k * most) }, (_, i) => k * most + i),
  );

export const tilesOf = (count: number): number => Math.ceil(count / TILE);

/** The images [from, to) of tiles [lo, hi). */
export function tileRange({ lo, hi }: Block, count: number): { readonly from: number; readonly to: number } {
  return { from: lo * TILE, to: Math.min(hi * TILE, count) };
}
