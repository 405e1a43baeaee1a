// How a sample grid is cut for workers: tiles of a fixed number of images, so that what is computed together never
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

export const tilesOf = (count: number): number => Math.ceil(count / TILE);

/** The images [from, to) of tiles [lo, hi). */
export function tileRange({ lo, hi }: Block, count: number): { readonly from: number; readonly to: number } {
  return { from: lo * TILE, to: Math.min(hi * TILE, count) };
}
