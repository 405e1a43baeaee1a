// The contract of a sampler: it sees a denoiser and a process, and knows no model. Noise is injected.

import type * as tf from "@tensorflow/tfjs-core";
import type { Process } from "../diffusion/process.ts";

/** What a network says about x_t. */
export interface Denoised {
  /** The prediction of x_0, before any clipping. */
  readonly x0: tf.Tensor;
  /** The log variance of the step back, if the network learned it. */
  readonly logVariance?: tf.Tensor;
}

/** Called inside a tidy scope; `step` counts in the (respaced) process. */
export type Denoiser = (x_t: tf.Tensor, step: number) => Denoised;

export interface SampleOptions {
  readonly process: Process;
  /** Clip x_0 to [-1, 1] at every step. */
  readonly clip: boolean;
  /** DDIM's eta. */
  readonly eta: number;
  /** Which fixed variance the ancestral step uses. */
  readonly variance: "fixed-small" | "fixed-large";
  /** Standard normal noise of the given shape for a step. */
  readonly noise: (step: number, shape: number[]) => tf.Tensor;
}

/** One step back from x_t to x_(t-1). */
export interface StepResult {
  readonly x: tf.Tensor;
  readonly x0: tf.Tensor;
}

export type SamplerStep = (denoise: Denoiser, x_t: tf.Tensor, step: number, options: SampleOptions) => StepResult;
