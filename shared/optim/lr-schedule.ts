// The learning rate as a function of the step.

import { exactCos } from "../rng/exact-math.ts";

export interface LearningRateSpec {
  readonly optimizer: { readonly lr: number };
  /** Steps of linear warm-up. */
  readonly warmup: number;
  readonly schedule: "constant" | "cosine";
  readonly steps: number;
}

/** Cosine: Loshchilov and Hutter 2017, Eq. 5. @param step 0-based. */
export function learningRate({ optimizer, warmup, schedule, steps }: LearningRateSpec, step: number): number {
  const { lr } = optimizer;
  // 1. Linear warm-up, over its last step at the full rate.
  if (step < warmup) return (lr * (step + 1)) / warmup;
  // 2. Constant.
  if (schedule === "constant") return lr;
  // 3. Half a cosine from the warm-up's end to 0 after the last step.
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return halfCosine(lr, 0, progress);
}

/** From one number to another, along half a cosine. @param progress 0 to 1. */
export const halfCosine = (from: number, to: number, progress: number): number =>
  to + (from - to) * 0.5 * (1 + exactCos(Math.PI * progress));

/** Linear anneal to 0 at `annealSteps` (guided-diffusion's lr_anneal_steps). */
export function linearAnneal(lr: number, annealSteps: number, step: number): number {
  return lr * (1 - step / annealSteps);
}
