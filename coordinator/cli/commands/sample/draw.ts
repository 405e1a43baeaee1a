// Images of a model, by processes that draw batches of them.

import type { BackendName } from "../../../../shared/backends/backend.ts";
import { flatOf, type ReadModel } from "../../../../shared/interop/load-model.ts";
import type { CommandIo } from "../../action.ts";
import { drawerBatches } from "../../drawing/batches.ts";
import { openPool } from "../../drawing/pool.ts";
import { createImageProgress } from "../../drawing/progress.ts";
import { drawersFor } from "../../drawing/workers.ts";
import type { ImagesWanted } from "./hands.ts";

interface Processes {
  readonly backend: BackendName;
  /** Most of them; one a core when absent, one on a GPU. */
  readonly workers?: number | undefined;
}

/** @returns uint8 [count, H, W, C], and how many processes drew them. */
export async function drawImages(
  io: CommandIo,
  model: ReadModel,
  { beside, ...wanted }: ImagesWanted,
  processes: Processes,
) {
  const { height, width, channels } = model.imageSet;
  const image = { height, width, channels };
  const batches = drawerBatches(wanted, image);
  const { backend } = processes;
  const workers = drawersFor(processes.workers, backend, batches.length);
  const { flat } = await flatOf(model);
  const drawn = { spec: model.job.spec, image };
  using pool = await openPool(workers, { backend, beside, model: drawn }, io.signal);
  await pool.load(flat);
  const progress = createImageProgress(process.stderr, wanted.count, Date.now);
  const { pixels } = await pool.draw(batches, progress.show).finally(progress.end);
  return { pixels, workers };
}
