// plume audit --replay: a committed step computed again, from the checkpoint that was taken before it, on this machine.

import { join } from "node:path";
import { openBackend } from "../../shared/backends/index.ts";
import { locateCheckpoint } from "../../shared/checkpoint/locate.ts";
import { listCheckpoints } from "../../shared/checkpoint/read.ts";
import { microBatchesPerStep } from "../../shared/config/schema.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { sampleIds } from "../../shared/data/order.ts";
import { PlumeError } from "../../shared/errors.ts";
import { createVectorHeap } from "../../shared/kernels/kernels.ts";
import { readLedger } from "../../shared/ledger/read.ts";
import { blockGradient } from "../../shared/pipeline/block-gradient.ts";
import { loadModelAt } from "../../shared/pipeline/load-model.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import type { Replay } from "./commands/audit.ts";

export const replay: Replay = async (run, step, io) => {
  const { store } = locateCheckpoint(run.dir);
  const steps = (await listCheckpoints(store)).map((checkpoint) => checkpoint.step);
  const recorded = await digestOfStep(join(run.dir, "ledger.ndjson"), step);
  if (recorded === null || !steps.includes(step)) {
    const can = steps.filter((s) => s < run.job.spec.training.steps);
    throw new PlumeError(
      "NOT_FOUND",
      `step ${step} cannot be replayed: it needs a checkpoint of step ${step} and a ledger line`,
      {
        remedy:
          can.length > 0
            ? `these can: ${can.join(", ")}`
            : "none of this run's steps can: train with a smaller checkpoint.everySteps",
      },
    );
  }
  const { spec } = run.job;
  const backend = await openBackend(spec.workers.backend);
  const { network, layout, params } = await loadModelAt(store, step, "raw");
  const set = await openImageSet(spec.data, { signal: io.signal });
  if (set.digest !== run.dataset.digest)
    throw new PlumeError("FAILED_PRECONDITION", `${set.name} is not the data that the run was trained on`);
  const V = microBatchesPerStep(spec);
  const batches = await Promise.all(
    Array.from({ length: V }, async (_, index) => ({
      index,
      ...(await set.read(sampleIds(run.order, step, index), io.signal)),
    })),
  );
  const heap = createVectorHeap(layout);
  const compute = createMicroBatch(spec, network, layout, set);
  const onLeaf = (done: number) => io.note(`  micro-batch ${done} of ${V}`);
  const { sum } = await blockGradient(heap, compute, params, { step, block: { lo: 0, hi: V }, batches, onLeaf });
  const digest = heap.digest(sum);
  await set.close();
  const ok = digest === recorded;
  return {
    ok,
    step,
    message: ok
      ? `step ${step} computed again on ${backend.name}: the same gradient, digest ${digest}`
      : `step ${step} computed again on ${backend.name} has digest ${digest}, the ledger says ${recorded}`,
  };
};

async function digestOfStep(file: string, step: number): Promise<string | null> {
  for await (const line of readLedger(file)) if (line.step === step) return line.gradDigest;
  return null;
}
