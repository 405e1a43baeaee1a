// Weights of a folder as the start of a run: for plume train --init and plume checkpoints import.

import type { Job } from "../../shared/config/schema.ts";
import { describeImageSet } from "../../shared/data/card.ts";
import { checkClasses } from "../../shared/data/open.ts";
import { withInit, writeStart } from "../../shared/interop/import.ts";
import { readModelFolder } from "../../shared/interop/read.ts";
import { weightsFor } from "../../shared/interop/weights.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";

export interface Start {
  readonly job: Job;
  /** @returns whether it was written; false when it is there already. */
  write(store: ObjectStore, signal: AbortSignal): Promise<boolean>;
}

/**
 * Reads the folder and holds it against the job; writes the start when it is asked for. @returns the job, which names the
 * weights now. @throws PlumeError when the folder is no model of this job, or the store holds another run's checkpoints.
 */
export async function openStart(folder: string, job: Job): Promise<Start> {
  const { card: set } = await describeImageSet(job.spec.data, job.spec.store);
  checkClasses(job.spec, set);
  const weights = await weightsFor(job.spec, set, readModelFolder(folder));
  const named = withInit(job, weights);
  return { job: named, write: (store, signal) => writeStart(store, named, set, weights, signal) };
}
