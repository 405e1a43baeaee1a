// A folder's weights as the start of a run: a checkpoint at step 0, with the same weights as parameters and EMA, and
// moments of zero. Its job names the weights by their digest, so that nothing that belongs to the run can be taken for
// one that began with fresh parameters.

import { listCheckpoints } from "../checkpoint/read.ts";
import { writeCheckpoint } from "../checkpoint/write.ts";
import type { Job } from "../config/schema.ts";
import type { ImageSetCard } from "../data/image-set.ts";
import { PlumeError } from "../errors.ts";
import { OPTIMIZERS } from "../optim/optimizers.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { shardsOf } from "../tensor/flat.ts";
import type { FolderWeights } from "./weights.ts";

/** The job with training.init. @throws PlumeError FAILED_PRECONDITION when it names other weights already. */
export function withInit(job: Job, { sha256 }: Pick<FolderWeights, "sha256">): Job {
  const { init } = job.spec.training;
  if (init !== undefined && init !== sha256)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the job's training.init is ${init}, the folder's weights are ${sha256}`,
      {
        remedy: "take training.init out of the job, or take the folder that it means",
      },
    );
  return { ...job, spec: { ...job.spec, training: { ...job.spec.training, init: sha256 } } };
}

/** @returns whether it was written; false when the start is there already. @throws PlumeError FAILED_PRECONDITION when the store holds another run's checkpoints. */
export async function writeStart(
  store: ObjectStore,
  job: Job,
  set: ImageSetCard,
  { layout, values }: FolderWeights,
  signal?: AbortSignal,
): Promise<boolean> {
  const later = (await listCheckpoints(store)).find(({ step }) => step > 0);
  if (later)
    throw new PlumeError("FAILED_PRECONDITION", `${store.url} holds a run's checkpoints already (step ${later.step})`, {
      remedy: "start from these weights in a store or run folder of its own",
    });
  const shards = shardsOf(layout, values);
  const zeros = layout.shards.map(({ size }) => new Float32Array(size));
  const { moments } = OPTIMIZERS[job.spec.training.optimizer.type];
  const vectors = {
    params: (shard: number) => shards[shard]!,
    ema: (shard: number) => shards[shard]!,
    ...Object.fromEntries(moments.map((name) => [`moments.${name}`, (shard: number) => zeros[shard]!])),
  };
  const { bytes } = await writeCheckpoint(store, { job, layout, step: 0, set, vectors }, signal);
  return bytes > 0;
}
