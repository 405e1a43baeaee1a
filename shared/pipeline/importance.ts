// Time steps drawn by their losses in a run (Nichol and Dhariwal 2021, Sec. 3.3): what a step's micro-batches draw by, and what
// their losses teach. The record belongs to whoever commits steps; a worker gets the weights of one step and keeps nothing.

import type { OpenCheckpoint } from "../checkpoint/read.ts";
import { decodeSafetensors, encodeSafetensors } from "../checkpoint/safetensors.ts";
import { type JobSpec, microBatchesPerStep } from "../config/schema.ts";
import {
  drawTimesteps,
  emptyHistory,
  isWarm,
  type LossHistory,
  lossMultipliers,
  timestepWeights,
  withLosses,
} from "../diffusion/importance.ts";
import type { Draws } from "../diffusion/processes/process.ts";
import { PlumeError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import { drawsOf, PURPOSE } from "../rng/stream.ts";

/** The job draws its time steps by their losses. */
export const isWeighted = ({ diffusion }: Pick<JobSpec, "diffusion">): boolean =>
  diffusion.timestepSampling === "loss-second-moment";

/** The record that a run begins with; null for a job that needs none. */
export const freshHistory = (spec: JobSpec): LossHistory | null =>
  isWeighted(spec) ? emptyHistory(spec.diffusion.timesteps) : null;

/** What the micro-batches of the next step draw by, float64 [T]; undefined while all time steps are alike. */
export const weightsBy = (history: LossHistory | null): Float64Array | undefined =>
  history && isWarm(history) ? timestepWeights(history) : undefined;

/** Time steps of a micro-batch, int32 [n], and what the loss of each counts. */
export function weightedTimes(weights: Float64Array, draws: Draws, n: number) {
  const t = drawTimesteps(weights, draws.uniforms(n));
  const multipliers = lossMultipliers(weights);
  return { t, counts: Float64Array.from(t, (step) => multipliers[step]!) };
}

/**
 * The record after a step. @param history by which the step was drawn. @param losses of all its samples, in the order of its
 * micro-batches, as they are not weighted: float32 [globalBatch].
 */
export function withStep(history: LossHistory, spec: JobSpec, step: number, losses: Float32Array): LossHistory {
  const { globalBatch, microBatch } = spec.training;
  invariant(losses.length === globalBatch, `step ${step} has a loss of each of its samples`);
  const weights = weightsBy(history);
  const times = Array.from({ length: microBatchesPerStep(spec) }, (_, index) => {
    const draws = drawsOf({ seed: spec.seed, purpose: PURPOSE.time, step, index });
    const t = weights
      ? drawTimesteps(weights, draws.uniforms(microBatch))
      : draws.integers(microBatch, spec.diffusion.timesteps);
    return [...t];
  });
  return withLosses(history, times.flat(), losses);
}

/** Of a checkpoint: tensors `losses` [T, perStep], oldest first, and `counts` [T], float32. */
const FILE = "timestep-losses.safetensors";

/** What a checkpoint keeps of the record, exactly: losses come as float32. */
export function historyFiles(history: LossHistory | null): Readonly<Record<string, Uint8Array>> {
  if (!history) return {};
  const { losses, counts, perStep } = history;
  const tensors = [
    { name: "losses", shape: [counts.length, perStep], values: Float32Array.from(losses) },
    { name: "counts", shape: [counts.length], values: Float32Array.from(counts) },
  ];
  return { [FILE]: encodeSafetensors(tensors, { format: "plume" }) };
}

/** What is asked of a checkpoint. */
interface SavedBy extends Pick<OpenCheckpoint, "file"> {
  readonly job: Pick<OpenCheckpoint["job"], "spec">;
  readonly state: Pick<OpenCheckpoint["state"], "step">;
}

/**
 * The record that a checkpoint was taken with; a fresh one where it has none of this job's time steps, as that of a job that
 * drew them otherwise. @throws PlumeError DATA_LOSS when it lacks the record of its own job.
 */
export async function restoredHistory(spec: JobSpec, { job, state, file }: SavedBy): Promise<LossHistory | null> {
  const fresh = freshHistory(spec);
  if (!fresh) return null;
  const bytes = await file(FILE);
  if (!bytes && state.step > 0 && isWeighted(job.spec))
    throw new PlumeError("DATA_LOSS", `the checkpoint of step ${state.step} has no ${FILE}`);
  const tensors = bytes && decodeSafetensors(bytes, FILE);
  const [losses, counts] = [tensors?.get("losses")?.values, tensors?.get("counts")?.values];
  if (losses?.length !== fresh.losses.length || counts?.length !== fresh.counts.length) return fresh;
  return { ...fresh, losses: Float64Array.from(losses), counts: Int32Array.from(counts) };
}
