// What a model says of real images, in bits a dimension: the variational bound of a discrete process.

import * as tf from "@tensorflow/tfjs-core";
import { type PatchShape, unshuffle } from "../data/patch.ts";
import { createProcess } from "../diffusion/process.ts";
import { PlumeError } from "../errors.ts";
import { createDenoisers, type DenoiserOptions } from "../pipeline/denoiser.ts";
import { shuffleShape } from "../pipeline/shape.ts";
import { normals, PURPOSE } from "../rng/stream.ts";
import { variationalBound } from "./bound.ts";

export interface RealBatch {
  /** uint8 [n, H, W, C]. */
  readonly pixels: Uint8Array;
  /** int32 [n]. */
  readonly labels: Int32Array;
  /** Which images of the set: the noise of each is its own. */
  readonly ids: readonly number[];
}

export type OnStep = (done: number, total: number) => Promise<void> | void;

/** @returns bits a dimension of each image, float64 [n]. */
export type MeasureBits = (batch: RealBatch, onStep: OnStep) => Promise<Float64Array>;

/** @throws PlumeError FAILED_PRECONDITION for a process whose likelihood is not known here. */
export function createBits(
  options: DenoiserOptions & { readonly image: PatchShape; readonly seed: number },
): MeasureBits {
  const { spec, image, seed } = options;
  const { process: name, schedule, timesteps, variance } = spec.diffusion;
  if (name !== "ddpm")
    throw new PlumeError("FAILED_PRECONDITION", `the likelihood of a model of ${name} is not known`, {
      remedy: "use a model of diffusion.process ddpm",
    });
  const process = createProcess({ schedule, timesteps });
  const { height, width, channels } = shuffleShape(image, spec.data.patch);
  const denoisers = createDenoisers(options);
  return async ({ pixels, labels, ids }, onStep) => {
    const shape: [number, number, number, number] = [ids.length, height, width, channels];
    const noise = (step: number) => tf.tensor4d(noiseOf(ids, seed, step, height * width * channels), shape);
    const floats = Float32Array.from(pixels, (value) => value / 127.5 - 1);
    const x0 = tf.tensor4d(unshuffle(floats, image, spec.data.patch, new Float32Array(floats.length)), shape);
    try {
      const condition = { labels: spec.model.classes > 0 ? labels : null, guidance: 1 };
      const denoise = denoisers(condition).byStep(process);
      const { total } = await variationalBound(denoise, x0, { process, clip: true, variance, noise }, onStep);
      return total;
    } finally {
      x0.dispose();
    }
  };
}

/** Standard normal, float32 [n * size]. */
function noiseOf(ids: readonly number[], seed: number, step: number, size: number): Float32Array {
  const flat = new Float32Array(ids.length * size);
  ids.forEach((index, i) => {
    flat.set(normals({ seed, purpose: PURPOSE.likelihoodNoise, step, index }, size), i * size);
  });
  return flat;
}
