// From noise to x_0 by whichever form of sampler the table has: each gets the denoiser and the noise levels of its form.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { X0Options } from "../diffusion/gaussian.ts";
import { GRIDS, type GridName } from "../diffusion/grids.ts";
import type { Level } from "../diffusion/parameterization.ts";
import { noiseProcess } from "../diffusion/processes/index.ts";
import type { NoiseProcess } from "../diffusion/processes/process.ts";
import { linspace } from "../diffusion/schedules.ts";
import { type Thresholding, thresholded } from "../diffusion/threshold.ts";
import { PlumeError } from "../errors.ts";
import { guideMean } from "../guidance/condition-mean.ts";
import { guideDenoiser, guideScore, guideTimeScore } from "../guidance/condition-score.ts";
import { invariant } from "../invariant.ts";
import { heldStep, heldWalk } from "../samplers/held.ts";
import { CLEAN, type Known } from "../samplers/known.ts";
import { invert, sample } from "../samplers/sample.ts";
import type { LevelSampler, SdeWalk, SigmaSampler, StepSampler, Walk, WalkOptions } from "../samplers/sampler.ts";
import { drive, walkThrough } from "../samplers/walk.ts";
import type { Gradients } from "./classifier.ts";
import type { Denoisers } from "./denoiser.ts";

type OnStep = (done: number, total: number) => Promise<void> | void;

/** What may be said of a way beside its sampler. */
export interface Manner extends Thresholding {
  readonly steps: number;
  /** The sampler's own when absent. */
  readonly eta?: number | undefined;
  readonly grid?: GridName | undefined;
}

interface Course extends Manner {
  readonly spec: JobSpec;
  readonly denoise: Denoisers;
  /** What becomes of x_0 where it is no image; as the manner says when absent. */
  readonly x0?: X0Options | undefined;
  /** Of a classifier that guides the way to images. */
  readonly gradients?: Gradients | undefined;
}

/** A part of a way, and what is met on it. */
interface Leg {
  /** From one position to a later one. */
  readonly part: readonly [from: number, to: number];
  /** Standard normal of x's shape, for each call of the sampler. */
  readonly noise: WalkOptions["noise"];
  /** Held at every step, where the sampler is stepwise; its noise comes from `noise` too. */
  readonly known?: Known | undefined;
  readonly onStep?: OnStep | undefined;
}

/**
 * A sampler's way from noise to images, by positions: 0 is its noisiest level, `steps` are the images. Tensors are float32
 * [B, H, W, C] in the space that the sampler walks in.
 */
export interface Way {
  readonly steps: number;
  /** x at position 0 is noise of this standard deviation. */
  readonly prior: number;
  /** x at a position is alpha x_0 + sigma eps. */
  level(position: number): Level;
  /** @param x disposed. */
  walk(x: tf.Tensor, leg: Leg): Promise<tf.Tensor>;
  /** From images to the x at position 0 that the way makes them of, where the sampler inverts. @param x disposed. */
  encode?(x: tf.Tensor, onStep?: OnStep): Promise<tf.Tensor>;
}

export interface Drawing extends Course, Omit<Leg, "part"> {
  /** Standard normal, float32 [B, H, W, C]; disposed. */
  readonly start: tf.Tensor;
}

/** @returns x_0, float32 [B, H, W, C], the caller's to dispose. */
export async function draw(
  sampler: LevelSampler,
  { start, noise, known, onStep, ...course }: Drawing,
): Promise<tf.Tensor> {
  const way = await wayOf(sampler, course);
  const x = tf.tidy(() => tf.mul(start, way.prior));
  start.dispose();
  return way.walk(x, { part: [0, way.steps], noise, known, onStep });
}

/** @throws PlumeError INVALID_ARGUMENT for a sampler of SDEs on another process. */
export async function wayOf(sampler: LevelSampler, course: Course): Promise<Way> {
  if (sampler.walks === "steps") return byStep(sampler, course);
  if (sampler.walks === "sde") return inTime(await sampler.load(), await sampler.invert?.(), course);
  return bySigma(await sampler.load(), sampler, course);
}

const GUIDES = { mean: guideMean, score: guideScore };

async function byStep(sampler: StepSampler, course: Course): Promise<Way> {
  const { spec, denoise, gradients, steps, eta = sampler.eta } = course;
  const { variance } = spec.diffusion;
  const process = noiseProcess(spec.diffusion).steps?.(steps);
  invariant(process, `${spec.diffusion.process} has steps`);
  const [plain, up] = [await sampler.load(), await sampler.invert?.()];
  const step = gradients ? GUIDES[sampler.guided](plain, gradients.byStep(process)) : plain;
  const { T, sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = process;
  const denoiser = denoise.byStep(process);
  const options = { process, eta, variance, ...(course.x0 ?? thresholded(course)) };
  return {
    steps: T,
    prior: 1,
    level: (i) =>
      i === T ? CLEAN : { alpha: sqrtAlphasCumprod[T - 1 - i]!, sigma: sqrtOneMinusAlphasCumprod[T - 1 - i]! },
    walk: (x, { known, onStep, ...leg }) =>
      sample(known ? heldStep(step, known) : step, denoiser, x, { ...options, ...leg }, onStep),
    ...(up && { encode: (x, onStep) => invert(up, denoiser, x, options, onStep) }),
  };
}

function bySigma(walk: Walk, sampler: SigmaSampler, course: Course): Way {
  const { spec, denoise, gradients, steps, eta = sampler.eta, grid = sampler.grid } = course;
  const sigmas = levelsOf({ ...sampler, grid }, steps, noiseProcess(spec.diffusion));
  const plain = denoise.bySigma(course.x0 ?? thresholded(course));
  // As in a step: x_0 is clipped before it is guided, and not again.
  const denoiser = gradients ? guideDenoiser(plain, gradients.bySigma()) : plain;
  const goesUp = sampler.stepwise && sampler.eta === 0;
  return {
    steps,
    prior: sigmas[0]!,
    level: (i) => (i === steps ? CLEAN : { alpha: 1, sigma: sigmas[i]! }),
    walk: (x, { part: [from, to], noise, known, onStep }) =>
      walkThrough(
        known ? heldWalk(walk, known) : walk,
        denoiser,
        x,
        sigmas.subarray(from, to + 1),
        { eta, noise },
        onStep,
      ),
    // Images are taken for x at the least noise.
    ...(goesUp && {
      encode: (x, onStep) =>
        walkThrough(walk, plain, x, sigmas.slice(0, steps).reverse(), { eta: 0, noise: unasked }, onStep),
    }),
  };
}

const unasked = (): never => {
  throw new PlumeError("INTERNAL", "a walk without noise asked for some");
};

/** The noise levels of so many steps, highest first: float64 [steps + 1]. */
export function levelsOf(
  { ends, grid = "karras" }: Pick<SigmaSampler, "ends" | "grid">,
  steps: number,
  process: NoiseProcess,
): Float64Array {
  const { levels } = GRIDS[grid];
  return ends === "zero" ? Float64Array.of(...levels(steps, process), 0) : levels(steps + 1, process);
}

function inTime(walk: SdeWalk, up: SdeWalk | undefined, { spec, denoise, gradients, steps }: Course): Way {
  const process = noiseProcess(spec.diffusion);
  const { sde, span } = process;
  if (!sde)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `the process ${spec.diffusion.process} is no SDE, which this sampler walks`,
      {
        remedy: "use ddim, heun or another sampler of its own",
      },
    );
  const plain = denoise.byTime();
  const score = gradients ? guideTimeScore(plain, gradients.byTime()) : plain;
  const times = linspace(span.max, span.min, steps);
  return {
    steps,
    prior: sde.prior,
    level: (i) => (i === steps ? CLEAN : process.level(times[i]!)),
    walk: (x, { onStep, ...leg }) =>
      drive(walk(score, x, { ...process, sde }, { steps, ...leg }), x, leg.part[1] - leg.part[0], onStep),
    ...(up && {
      encode: (x, onStep) => drive(up(plain, x, { ...process, sde }, { steps, noise: unasked }), x, steps, onStep),
    }),
  };
}
