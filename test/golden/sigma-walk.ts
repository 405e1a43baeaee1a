// Walks through sigma on analytic denoisers, with the noise that a case supplies: what several golden families share.

import type * as tf from "@tensorflow/tfjs-core";
import type { SigmaDenoiser, Walk } from "../../shared/samplers/sampler.ts";
import { walkThrough } from "../../shared/samplers/walk.ts";
import { tensorOf } from "./arrays.ts";

export interface Walked {
  readonly sample: Float32Array;
  /** x before the first step, and after each: of walks that may refuse a step, also where they stayed. */
  readonly states: readonly Float32Array[];
  /** Evaluations of the denoiser. */
  readonly evaluations: number;
}

export interface Way {
  /** At sigmas[0]; disposed. */
  readonly x: tf.Tensor;
  readonly sigmas: ArrayLike<number>;
  readonly eta?: number | undefined;
  /** One array a draw, in the order of the calls. */
  readonly noise?: unknown;
}

export async function walked(walk: Walk, denoise: SigmaDenoiser, { x, sigmas, eta = 0, noise }: Way): Promise<Walked> {
  const states = [x.dataSync() as Float32Array];
  let evaluations = 0;
  const counted: SigmaDenoiser = (...args) => {
    evaluations++;
    return denoise(...args);
  };
  const draws = noise as readonly unknown[] | undefined;
  const options = { eta, noise: (call: number) => tensorOf(draws![call]) };
  const end = await walkThrough(walk, counted, x, Float64Array.from(sigmas), options, (_done, _total, at) => {
    states.push(at.dataSync() as Float32Array);
  });
  const sample = end.dataSync() as Float32Array;
  end.dispose();
  return { sample, states, evaluations };
}
