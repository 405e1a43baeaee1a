// A command's images, cut into batches.

import type { PatchShape } from "../../../shared/data/patch.ts";
import { lowResPart, partOf } from "../../../shared/pipeline/low-res.ts";
import { batchesOf } from "../../../shared/pipeline/tiles.ts";
import type { DrawerWanted } from "./messages.ts";

/**
 * Images computed together, more of small ones, and so few that there is work for many processes: bounds the memory; what comes
 * out does not depend on it.
 */
const BATCH = { least: 8, most: 250, numbers: 8 * 28 * 28, parts: 8 };

export interface Wanted extends Omit<DrawerWanted, "indices" | "labels" | "captions"> {
  readonly count: number;
  readonly labelsOf: (indices: readonly number[]) => readonly number[] | null;
  /** Of a model that reads them. */
  readonly captionsOf?: ((indices: readonly number[]) => readonly string[]) | undefined;
}

export function drawerBatches(
  { count, labelsOf, captionsOf, lowRes, pictures, ...how }: Wanted,
  image: PatchShape,
): DrawerWanted[] {
  const fitting = Math.floor(BATCH.numbers / (image.height * image.width * image.channels));
  const size = Math.max(BATCH.least, Math.min(BATCH.most, fitting, Math.ceil(count / BATCH.parts)));
  return batchesOf(count, size).map((indices) => ({
    ...{ ...how, indices, labels: labelsOf(indices), captions: captionsOf?.(indices) },
    // As many as images.
    ...(lowRes && { lowRes: lowResPart(lowRes, count, indices[0]!, indices.at(-1)! + 1) }),
    ...(pictures && { pictures: partOf(pictures, count, indices[0]!, indices.at(-1)! + 1) }),
  }));
}
