// From noise to x_0 by whichever form of sampler the table has: each gets the denoiser and the noise levels of its form.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { GRIDS } from "../diffusion/grids.ts";
import { createProcess } from "../diffusion/process.ts";
import { noiseProcess } from "../diffusion/processes/index.ts";
import type { NoiseProcess } from "../diffusion/processes/process.ts";
import { PlumeError } from "../errors.ts";
import { guideMean } from "../guidance/condition-mean.ts";
import { guideDenoiser, guideScore, guideTimeScore } from "../guidance/condition-score.ts";
import { sample } from "../samplers/sample.ts";
import type { LevelSampler, SdeWalk, SigmaSampler, StepSampler, Walk } from "../samplers/sampler.ts";
import { drive, walkThrough } from "../samplers/walk.ts";
import type { Gradients } from "./classifier.ts";
import type { Denoisers } from "./denoiser.ts";

export interface Drawing {
  readonly spec: JobSpec;
  readonly denoise: Denoisers;
  /** Of a classifier that guides. */
  readonly gradients?: Gradients | undefined;
  /** Standard normal, float32 [B, H, W, C]; disposed. */
  readonly start: tf.Tensor;
  readonly steps: number;
  readonly eta: number;
  /** Standard normal of the same shape, for each call of the sampler. */
  readonly noise: (call: number) => tf.Tensor;
  readonly onStep?: ((done: number, total: number) => Promise<void> | void) | undefined;
}

/** @returns x_0, float32 [B, H, W, C], the caller's to dispose. */
export async function draw(sampler: LevelSampler, drawing: Drawing): Promise<tf.Tensor> {
  if (sampler.walks === "steps") return stepBack(sampler, drawing);
  if (sampler.walks === "sde") return walkInTime(await sampler.load(), drawing);
  return walkBack(await sampler.load(), sampler, drawing);
}

const GUIDES = { mean: guideMean, score: guideScore };

async function stepBack(sampler: StepSampler, drawing: Drawing) {
  const { spec, denoise, gradients, start, steps, onStep, ...options } = drawing;
  const { schedule, timesteps, variance } = spec.diffusion;
  const process = createProcess({ schedule, timesteps, respacing: steps === timesteps ? null : [steps] });
  const unguided = await sampler.load();
  const step = gradients ? GUIDES[sampler.guided](unguided, gradients.byStep(process)) : unguided;
  return sample(step, denoise.byStep(process), start, { ...options, process, clip: true, variance }, onStep);
}

function walkBack(walk: Walk, sampler: SigmaSampler, drawing: Drawing) {
  const { spec, denoise, gradients, start, steps, onStep, ...options } = drawing;
  const sigmas = levelsOf(sampler, steps, noiseProcess(spec.diffusion));
  const x = tf.tidy(() => tf.mul(start, sigmas[0]!));
  start.dispose();
  // As in a step: x_0 is clipped before it is guided, and not again.
  const clipped = denoise.bySigma(true);
  const guided = gradients ? guideDenoiser(clipped, gradients.bySigma()) : clipped;
  return walkThrough(walk, guided, x, sigmas, options, onStep);
}

/** The noise levels of so many steps, highest first: float64 [steps + 1]. */
export function levelsOf({ ends, grid = "karras" }: SigmaSampler, steps: number, process: NoiseProcess): Float64Array {
  return ends === "zero" ? Float64Array.of(...GRIDS[grid](steps, process), 0) : GRIDS[grid](steps + 1, process);
}

function walkInTime(walk: SdeWalk, { spec, denoise, gradients, start, steps, noise, onStep }: Drawing) {
  const process = noiseProcess(spec.diffusion);
  const { sde } = process;
  if (!sde)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `the process ${spec.diffusion.process} is no SDE, which this sampler walks`,
      {
        remedy: "use ddim, heun or another sampler of its own",
      },
    );
  const x = tf.tidy(() => tf.mul(start, sde.prior));
  start.dispose();
  const score = gradients ? guideTimeScore(denoise.byTime(), gradients.byTime()) : denoise.byTime();
  return drive(walk(score, x, { ...process, sde }, { steps, noise }), x, steps, onStep);
}
