// A command's images, cut into batches.

import { type LowResImages, lowResPart } from "../../../shared/pipeline/low-res.ts";
import { batchesOf } from "../../../shared/pipeline/tiles.ts";
import type { DrawerWanted } from "./messages.ts";

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 8;

export interface Wanted extends Omit<DrawerWanted, "indices" | "labels" | "lowRes"> {
  readonly count: number;
  readonly labelsOf: (indices: readonly number[]) => readonly number[] | null;
  /** Of an upsampler: as many as images. */
  readonly lowRes?: LowResImages | undefined;
}

export const drawerBatches = ({ count, labelsOf, lowRes, ...how }: Wanted): DrawerWanted[] =>
  batchesOf(count, BATCH).map((indices) => ({
    ...{ ...how, indices, labels: labelsOf(indices) },
    ...(lowRes && { lowRes: lowResPart(lowRes, count, indices[0]!, indices.at(-1)! + 1) }),
  }));
