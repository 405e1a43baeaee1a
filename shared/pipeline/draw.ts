// From noise to x_0 by whichever form of sampler the table has: each gets the denoiser and the noise levels of its form.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { GRIDS } from "../diffusion/grids.ts";
import type { Random, Seen } from "../diffusion/nonequilibrium/chain.ts";
import { createProcess } from "../diffusion/process.ts";
import { loadChain, noiseProcess } from "../diffusion/processes/index.ts";
import type { NoiseProcess } from "../diffusion/processes/process.ts";
import { PlumeError } from "../errors.ts";
import { sample } from "../samplers/sample.ts";
import type { ChainWalk, Sampler, SamplerStep, SdeWalk, SigmaSampler, Walk } from "../samplers/sampler.ts";
import { drive, walkThrough } from "../samplers/walk.ts";
import type { Denoisers } from "./denoiser.ts";

export interface Drawing {
  readonly spec: JobSpec;
  readonly denoise: Denoisers;
  /** What x begins with: float32 [B, H, W, C], the same whenever it is asked for. */
  readonly start: Random;
  readonly steps: number;
  readonly eta: number;
  /** Of the same shape, for each call of the sampler. */
  readonly random: (call: number) => Random;
  /** What a chain's steps are multiplied by. */
  readonly seen?: Seen | undefined;
  readonly onStep?: ((done: number, total: number) => Promise<void> | void) | undefined;
}

/** @returns x_0, float32 [B, H, W, C], the caller's to dispose. */
export async function draw(sampler: Sampler, drawing: Drawing): Promise<tf.Tensor> {
  if (sampler.walks === "steps") return stepBack(await sampler.load(), drawing);
  if (sampler.walks === "sde") return walkInTime(await sampler.load(), drawing);
  if (sampler.walks === "chain") return walkChain(await sampler.load(), drawing);
  return walkBack(await sampler.load(), sampler, drawing);
}

/** Standard normal of the same shape, for each call of the sampler. */
const noiseOf =
  ({ random }: Drawing) =>
  (call: number): tf.Tensor =>
    random(call).normals();

function stepBack(step: SamplerStep, drawing: Drawing) {
  const { spec, denoise, start, steps, eta, onStep } = drawing;
  const { schedule, timesteps, variance } = spec.diffusion;
  const process = createProcess({ schedule, timesteps, respacing: steps === timesteps ? null : [steps] });
  const options = { eta, noise: noiseOf(drawing), process, clip: true, variance };
  return sample(step, denoise.byStep(process), start.normals(), options, onStep);
}

function walkBack(walk: Walk, sampler: SigmaSampler, drawing: Drawing) {
  const { spec, denoise, start, steps, eta, onStep } = drawing;
  const sigmas = levelsOf(sampler, steps, noiseProcess(spec.diffusion));
  const x = tf.tidy(() => tf.mul(start.normals(), sigmas[0]!));
  return walkThrough(walk, denoise.bySigma(true), x, sigmas, { eta, noise: noiseOf(drawing) }, onStep);
}

/** The noise levels of so many steps, highest first: float64 [steps + 1]. */
export function levelsOf({ ends, grid = "karras" }: SigmaSampler, steps: number, process: NoiseProcess): Float64Array {
  return ends === "zero" ? Float64Array.of(...GRIDS[grid](steps, process), 0) : GRIDS[grid](steps + 1, process);
}

function walkInTime(walk: SdeWalk, drawing: Drawing) {
  const { spec, denoise, start, steps, onStep } = drawing;
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
  const x = tf.tidy(() => tf.mul(start.normals(), sde.prior));
  const noise = noiseOf(drawing);
  return drive(walk(denoise.byTime(), x, { ...process, sde }, { steps, noise }), x, steps, onStep);
}

async function walkChain(walk: ChainWalk, { spec, denoise, start, random, seen, onStep }: Drawing) {
  const chain = await loadChain(spec.diffusion);
  const x_T = tf.tidy(() => chain.prior(start));
  const x = await drive(walk(denoise.byKernel(chain), x_T, chain, { random, seen }), x_T, chain.T - 1, onStep);
  const images = tf.tidy(() => chain.images(x));
  x.dispose();
  return images;
}
