// Where a run starts from: fresh parameters of the seed, or the newest whole checkpoint of the store.

import { listCheckpoints, readCheckpoint } from "../shared/checkpoint/read.ts";
import { firstDifference } from "../shared/config/identity.ts";
import type { Job } from "../shared/config/schema.ts";
import { PlumeError } from "../shared/errors.ts";
import type { Reducer, Vector } from "../shared/kernels/reducer.ts";
import { initialParameters } from "../shared/nn/init.ts";
import type { ObjectStore } from "../shared/store/object-store.ts";
import { setTensors } from "../shared/tensor/flat.ts";

/** Fills the reducer's vectors. @returns the number of committed steps. */
export async function loadState(
  job: Job,
  store: ObjectStore,
  resume: string,
  reducer: Reducer,
  datasetDigest: string,
  warn: (message: string) => void,
): Promise<number> {
  const torn = (step: number, reason: string) =>
    warn(`the checkpoint of step ${step} is not whole and was passed over: ${reason}`);
  if (resume === "never") {
    const [first] = await listCheckpoints(store);
    if (first)
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `${store.url} holds checkpoints of an earlier run (step ${first.step})`,
        {
          remedy: "name another checkpoint.store, or resume with --resume latest",
        },
      );
  }
  if (resume === "never" || (resume === "latest" && (await listCheckpoints(store, torn)).length === 0))
    return initialise(job, reducer);
  const which = resume === "latest" ? "latest" : parseStep(resume);
  const checkpoint = await readCheckpoint(store, which, {
    layout: reducer.layout,
    onSkipped: torn,
  });
  const other = firstDifference(checkpoint.job.spec, job.spec);
  if (other)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint of step ${checkpoint.state.step} was trained with ${other.path} ${JSON.stringify(other.was)}, this job has ${JSON.stringify(other.is)}`,
      { remedy: "keep the field to resume, or start over with --resume never" },
    );
  const trained = checkpoint.state.imageSet.digest;
  if (trained !== datasetDigest)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint of step ${checkpoint.state.step} was trained on other data than this job names`,
      {
        remedy: "give the job the same data, or start over with --resume never",
      },
    );
  setTensors(reducer.layout, reducer.params, checkpoint.vectors.params!);
  setTensors(reducer.layout, reducer.ema, checkpoint.vectors.ema!);
  for (const [name, vector] of Object.entries(reducer.moments)) {
    const saved = checkpoint.vectors[`moments.${name}`];
    if (!saved)
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `the checkpoint has no optimizer state "${name}": it was trained with another optimizer`,
        {
          remedy: "keep training.optimizer.type, or start over with --resume never",
        },
      );
    setTensors(reducer.layout, vector, saved);
  }
  return checkpoint.state.step;
}

function initialise(job: Job, reducer: Reducer): number {
  const flat = initialParameters(reducer.layout, job.spec.seed);
  fill(reducer, reducer.params, flat);
  fill(reducer, reducer.ema, flat);
  for (const vector of Object.values(reducer.moments)) fill(reducer, vector, null);
  return 0;
}

function fill(reducer: Reducer, vector: Vector, flat: Float32Array | null): void {
  for (const { index, offset, size } of reducer.layout.shards) {
    if (flat) vector.shard(index).set(flat.subarray(offset, offset + size));
    else vector.shard(index).fill(0);
  }
}

function parseStep(text: string): number {
  const step = Number(text);
  if (!Number.isInteger(step) || step < 0)
    throw new PlumeError("INVALID_ARGUMENT", `--resume ${text} is no step`, {
      remedy: "use latest, never, or the number of a checkpointed step",
    });
  return step;
}
