// Where a run starts from: fresh parameters of the seed, the newest whole checkpoint of the store, or a newer snapshot
// that a killed coordinator left.

import type { LedgerSegment } from "../../shared/checkpoint/manifest.ts";
import { listCheckpoints, type OpenCheckpoint, useCheckpoint } from "../../shared/checkpoint/read.ts";
import {
  type Difference,
  decideDifferences,
  describeDifferences,
  differences,
  isAllowable,
} from "../../shared/config/identity.ts";
import type { Job } from "../../shared/config/schema.ts";
import type { LossHistory } from "../../shared/diffusion/importance.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { FrozenModels } from "../../shared/frozen/read.ts";
import type { Reducer } from "../../shared/kernels/reducer.ts";
import { freshHistory, restoredHistory } from "../../shared/pipeline/importance.ts";
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
  /** Fields of the job that may differ from the checkpoint's though they decide bits. */
  readonly allow: readonly string[];
  readonly reducer: Reducer;
  readonly frozen: FrozenModels;
  readonly datasetDigest: string;
  /** What of the data is not as it was, where that is known. */
  readonly datasetChange: string | null;
  readonly warn: (message: string) => void;
  /** The run's bits may differ from another's from here on. */
  readonly blemish: (reason: string) => void;
}

export interface LoadedState {
  /** The number of committed steps. */
  readonly step: number;
  readonly from: "seed" | "checkpoint" | "snapshot";
  /** Losses that time steps are drawn by; null for a job that needs none. */
  readonly history: LossHistory | null;
  /** The ledger that came with the newest checkpoint up to this step. */
  readonly chain: readonly LedgerSegment[];
  /** Checkpoints that are there and not whole. */
  readonly passedOver: number;
}

type Filled = Pick<LoadedState, "step" | "history">;

/** Fills the reducer's vectors. */
export async function loadState(options: LoadOptions): Promise<LoadedState> {
  const { job, store, resume, reducer, frozen, warn } = options;
  const passedOver = new Set<number>();
  const torn = (step: number, reason: string) => {
    if (passedOver.has(step)) return;
    passedOver.add(step);
    warn(`the checkpoint of step ${step} is not whole and was passed over: ${reason}`);
  };
  const seed = async (): Promise<LoadedState> => {
    await initialise(reducer, job.spec, frozen);
    return { step: 0, from: "seed", history: freshHistory(job.spec), chain: [], passedOver: passedOver.size };
  };
  const listed = await listCheckpoints(store, resume === "latest" ? torn : undefined);
  if (resume === "never") {
    if (listed.length === 0) return seed();
    const message = `${store.url} holds checkpoints of an earlier run (step ${listed[0]!.step})`;
    const remedy = "name another checkpoint.store, or resume with --resume latest";
    throw new PlumeError("FAILED_PRECONDITION", message, { remedy });
  }
  if (resume === "latest") {
    const newest = listed.at(-1);
    const filled = await loadSnapshot(options, newest?.step ?? 0);
    if (filled)
      return { ...filled, from: "snapshot", chain: newest?.manifest.ledger ?? [], passedOver: passedOver.size };
    if (!newest) return seed();
  }
  const which = resume === "latest" ? "latest" : parseStep(resume);
  const { chain, ...filled } = await useCheckpoint(
    store,
    which,
    async (checkpoint) => ({ ...(await fill(options, checkpoint)), chain: checkpoint.manifest.ledger }),
    { onSkipped: torn },
  );
  return { ...filled, from: "checkpoint", chain, passedOver: passedOver.size };
}

/** The newest whole snapshot that is newer than every checkpoint and not ahead of the ledger, or null. */
async function loadSnapshot(options: LoadOptions, newerThan: number): Promise<Filled | null> {
  const { snapshots, ledgerSteps, warn } = options;
  const passedOver = (step: number, reason: string) =>
    warn(`the snapshot of step ${step} is not whole and was passed over: ${reason}`);
  const usable = (await listCheckpoints(snapshots, passedOver))
    .map(({ step }) => step)
    .filter((step) => step > newerThan && step <= (ledgerSteps ?? 0));
  for (const step of usable.reverse()) {
    try {
      return await useCheckpoint(snapshots, step, (checkpoint) => fill(options, checkpoint));
    } catch (error) {
      if (!(error instanceof PlumeError) || error.code !== "DATA_LOSS") throw error;
      passedOver(step, error.message);
    }
  }
  return null;
}

/** @throws PlumeError FAILED_PRECONDITION when it was taken of another job or other data. */
async function fill(options: LoadOptions, checkpoint: OpenCheckpoint): Promise<Filled> {
  const { job, reducer, datasetDigest, datasetChange } = options;
  const { step, imageSet } = checkpoint.state;
  const allowed = compareJobs(options, checkpoint);
  if (imageSet.digest !== datasetDigest)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint of step ${step} was trained on other data than this job names${datasetChange === null ? "" : `: ${datasetChange}`}`,
      { remedy: "give the job the same data, or start over with --resume never" },
    );
  await restore(reducer, checkpoint);
  const history = await restoredHistory(job.spec, checkpoint);
  if (allowed.length > 0)
    options.blemish(
      `resumed at step ${step} with another job, as --allow permits: ${describeDifferences(allowed, "; ")}`,
    );
  return { step, history };
}

/** Weights that were imported have been trained beside no model: whichever the run begins with is its own. */
const isPinnedNow = ({ path, was }: Difference): boolean => was === undefined && /^models\.\w+\.sha256$/.test(path);

/** @returns what differs and is allowed. */
function compareJobs({ job, allow }: LoadOptions, { job: before, state: { step } }: OpenCheckpoint) {
  const others = differences(before.spec, job.spec).filter((each) => !isPinnedNow(each));
  const { allowed, refused } = decideDifferences(others, allow);
  if (refused.length > 0)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint of step ${step} was trained by another job than this one:\n  ${describeDifferences(refused)}`,
      { remedy: remedyFor(refused.map(({ path }) => path)) },
    );
  return allowed;
}

function remedyFor(paths: readonly string[]): string {
  const flags = paths.every(isAllowable)
    ? `, change them knowingly with ${paths.map((p) => `--allow ${p}`).join(" ")}`
    : "";
  const model = paths.some((path) => path.startsWith("models."))
    ? ", and name the model's checkpoint that the run began with"
    : "";
  return `keep the field${paths.length > 1 ? "s" : ""} to resume${model}${flags}, or start over with --resume never`;
}

function parseStep(text: string): number {
  const step = Number(text);
  if (!Number.isInteger(step) || step < 0)
    throw new PlumeError("INVALID_ARGUMENT", `--resume ${text} is no step`, {
      remedy: "use latest, never, or the number of a checkpointed step",
    });
  return step;
}
