// Where a run starts from: fresh parameters of the seed, the newest whole checkpoint of the store, or a newer snapshot
// that a killed coordinator left.

import { type Checkpoint, listCheckpoints, readCheckpoint } from "../../shared/checkpoint/read.ts";
import { firstDifference } from "../../shared/config/identity.ts";
import type { Job } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { Reducer } from "../../shared/kernels/reducer.ts";
import { initialise, restore } from "../../shared/pipeline/initial-state.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";

export interface LoadOptions {
  readonly job: Job;
  readonly store: ObjectStore;
  /** Newer and short-lived: what a coordinator that was killed had in its run folder. */
  readonly snapshots: ObjectStore;
  /** Steps that the ledger of the run folder has; null when there is none. A snapshot beyond it proves nothing. */
  readonly ledgerSteps: number | null;
  readonly resume: string;
  readonly reducer: Reducer;
  readonly datasetDigest: string;
  readonly warn: (message: string) => void;
}

export interface LoadedState {
  /** The number of committed steps. */
  readonly step: number;
  readonly from: "seed" | "checkpoint" | "snapshot";
}

/** Fills the reducer's vectors. */
export async function loadState(options: LoadOptions): Promise<LoadedState> {
  const { job, store, resume, reducer, warn } = options;
  const torn = (step: number, reason: string) =>
    warn(`the checkpoint of step ${step} is not whole and was passed over: ${reason}`);
  const listed = (await listCheckpoints(store, resume === "latest" ? torn : undefined)).map(({ step }) => step);
  if (resume === "never") {
    if (listed.length > 0)
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `${store.url} holds checkpoints of an earlier run (step ${listed[0]})`,
        {
          remedy: "name another checkpoint.store, or resume with --resume latest",
        },
      );
    await initialise(reducer, job.spec);
    return { step: 0, from: "seed" };
  }
  if (resume === "latest") {
    const step = await loadSnapshot(options, listed.at(-1) ?? 0);
    if (step !== null) return { step, from: "snapshot" };
    if (listed.length === 0) {
      await initialise(reducer, job.spec);
      return { step: 0, from: "seed" };
    }
  }
  const which = resume === "latest" ? "latest" : parseStep(resume);
  const checkpoint = await readCheckpoint(store, which, { layout: reducer.layout, onSkipped: torn });
  await fill(options, checkpoint);
  return { step: checkpoint.state.step, from: "checkpoint" };
}

/** The newest whole snapshot that is newer than every checkpoint and not ahead of the ledger, or null. */
async function loadSnapshot(options: LoadOptions, newerThan: number): Promise<number | null> {
  const { snapshots, ledgerSteps, reducer, warn } = options;
  const passedOver = (step: number, reason: string) =>
    warn(`the snapshot of step ${step} is not whole and was passed over: ${reason}`);
  const usable = (await listCheckpoints(snapshots, passedOver))
    .map(({ step }) => step)
    .filter((step) => step > newerThan && step <= (ledgerSteps ?? 0));
  for (const step of usable.reverse()) {
    try {
      await fill(options, await readCheckpoint(snapshots, step, { layout: reducer.layout }));
      return step;
    } catch (error) {
      if (!(error instanceof PlumeError) || error.code !== "DATA_LOSS") throw error;
      passedOver(step, error.message);
    }
  }
  return null;
}

/** @throws PlumeError FAILED_PRECONDITION when it was taken of another job or other data. */
async function fill({ job, reducer, datasetDigest }: LoadOptions, checkpoint: Checkpoint): Promise<void> {
  const { step, imageSet } = checkpoint.state;
  const other = firstDifference(checkpoint.job.spec, job.spec);
  if (other)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint of step ${step} was trained with ${other.path} ${JSON.stringify(other.was)}, this job has ${JSON.stringify(other.is)}`,
      { remedy: "keep the field to resume, or start over with --resume never" },
    );
  if (imageSet.digest !== datasetDigest)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint of step ${step} was trained on other data than this job names`,
      { remedy: "give the job the same data, or start over with --resume never" },
    );
  await restore(reducer, checkpoint);
}

function parseStep(text: string): number {
  const step = Number(text);
  if (!Number.isInteger(step) || step < 0)
    throw new PlumeError("INVALID_ARGUMENT", `--resume ${text} is no step`, {
      remedy: "use latest, never, or the number of a checkpointed step",
    });
  return step;
}
