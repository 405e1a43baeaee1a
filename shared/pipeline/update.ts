// A summed gradient becomes the next version of the parameters: clip, optimizer, EMA. What a coordinator does in a step,
// and what an audit does again.

import { type JobSpec, microBatchesPerStep } from "../config/schema.ts";
import { turnOf } from "../config/turns.ts";
import type { Reducer, Vector } from "../kernels/reducer.ts";
import { clipCoefficient } from "../optim/clip.ts";
import { emaDecay } from "../optim/ema.ts";
import { learningRate } from "../optim/lr-schedule.ts";
import { spanOf } from "../tensor/layout.ts";

/** Norm of the mean gradient. @param root the canonical sum over all V micro-batches. */
export async function gradientNorm(spec: JobSpec, reducer: Reducer, root: Vector): Promise<number> {
  return Math.sqrt(await reducer.squaredNorm(root)) / microBatchesPerStep(spec);
}

/** The learning rate of a step. */
const rateOf = (spec: JobSpec, step: number): number =>
  learningRate({ ...spec.training, optimizer: turnOf(spec, step).optimizer }, step);

/**
 * Moves parameters, moments and EMA forward by one step: those whose turn it is, and no bit of others. Leaves all as they are when the
 * norm is not finite. @param lr where it is known: of a run that went on with another number of steps it was another one.
 */
export async function applyGradient(
  spec: JobSpec,
  reducer: Reducer,
  step: number,
  root: Vector,
  gradNorm: number,
  lr = rateOf(spec, step),
): Promise<{ readonly lr: number; readonly skipped: boolean }> {
  const { training } = spec;
  // A value that is not finite never reaches the parameters.
  const skipped = !Number.isFinite(gradNorm);
  if (skipped) return { lr, skipped };
  const { player, optimizer, count, averaged } = turnOf(spec, step);
  const span = player && spanOf(reducer.layout, `${player}.`);
  const gradientScale = clipCoefficient(gradNorm, training.clip ?? null) / microBatchesPerStep(spec);
  await reducer.optimize(root, { ...optimizer, lr, gradientScale, count }, span);
  if (averaged) await reducer.updateEma(emaDecay(training, count), span);
  return { lr, skipped };
}
