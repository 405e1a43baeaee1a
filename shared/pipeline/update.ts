// A summed gradient becomes the next version of the parameters: clip, optimizer, EMA. What a coordinator does in a step,
// and what an audit does again.

import { type JobSpec, microBatchesPerStep } from "../config/schema.ts";
import type { Reducer, Vector } from "../kernels/reducer.ts";
import { clipCoefficient } from "../optim/clip.ts";
import { emaDecay } from "../optim/ema.ts";
import { learningRate } from "../optim/lr-schedule.ts";

/** Norm of the mean gradient. @param root the canonical sum over all V micro-batches. */
export async function gradientNorm(spec: JobSpec, reducer: Reducer, root: Vector): Promise<number> {
  return Math.sqrt(await reducer.squaredNorm(root)) / microBatchesPerStep(spec);
}

/** Moves parameters, moments and EMA forward by one step; leaves them as they are when the norm is not finite. */
export async function applyGradient(
  spec: JobSpec,
  reducer: Reducer,
  step: number,
  root: Vector,
  gradNorm: number,
): Promise<{ readonly lr: number; readonly skipped: boolean }> {
  const { training } = spec;
  const lr = learningRate(training, step);
  // A value that is not finite never reaches the parameters.
  const skipped = !Number.isFinite(gradNorm);
  if (!skipped) {
    await reducer.optimize(root, {
      ...training.optimizer,
      lr,
      gradientScale: clipCoefficient(gradNorm, training.clip ?? null) / microBatchesPerStep(spec),
      count: step + 1,
    });
    await reducer.updateEma(emaDecay(training, step + 1));
  }
  return { lr, skipped };
}
