// Images of a model, by processes that draw batches of them.

import { availableParallelism } from "node:os";
import type { BackendName } from "../../../../shared/backends/backend.ts";
import { flatOf, type ReadModel } from "../../../../shared/interop/load-model.ts";
import type { FrozenWeights } from "../../../../shared/pipeline/frozen.ts";
import { type LowResImages, lowResPart } from "../../../../shared/pipeline/low-res.ts";
import { batchesOf } from "../../../../shared/pipeline/tiles.ts";
import type { CommandIo } from "../../action.ts";
import type { DrawerWanted } from "../../drawing/messages.ts";
import { openPool } from "../../drawing/pool.ts";
import { createImageProgress } from "../../drawing/progress.ts";

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 8;

/** One process fills it. */
const ON_GPU: ReadonlySet<BackendName> = new Set(["tfjs-node-gpu", "webgpu"]);

export interface Processes {
  readonly backend: BackendName;
  /** Most of them; one a core when absent, one on a GPU. */
  readonly workers?: number | undefined;
}

export interface Wanted extends Omit<DrawerWanted, "indices" | "labels" | "captions" | "lowRes"> {
  readonly count: number;
  readonly classifier: FrozenWeights | undefined;
  readonly labelsOf: (indices: readonly number[]) => readonly number[] | null;
  /** Of a model that reads them. */
  readonly captionsOf?: ((indices: readonly number[]) => readonly string[]) | undefined;
  /** Of an upsampler: as many as images. */
  readonly lowRes?: LowResImages | undefined;
}

/** @returns uint8 [count, H, W, C], and how many processes drew them. */
export async function drawImages(io: CommandIo, model: ReadModel, wanted: Wanted, processes: Processes) {
  const { count, classifier, labelsOf, captionsOf, lowRes, ...how } = wanted;
  const { height, width, channels } = model.imageSet;
  const batches = batchesOf(count, BATCH).map((indices) => ({
    ...{ ...how, indices, labels: labelsOf(indices), captions: captionsOf?.(indices) },
    ...(lowRes && { lowRes: lowResPart(lowRes, count, indices[0]!, indices.at(-1)! + 1) }),
  }));
  const { backend } = processes;
  const most = processes.workers ?? (ON_GPU.has(backend) ? 1 : availableParallelism());
  const workers = Math.min(most, batches.length);
  const { flat } = await flatOf(model);
  const drawn = { spec: model.job.spec, image: { height, width, channels }, flat };
  using pool = await openPool(workers, { backend, classifier, model: drawn }, io.signal);
  const progress = createImageProgress(process.stderr, count, Date.now);
  return { pixels: await pool.draw(batches, progress.show).finally(progress.end), workers };
}
