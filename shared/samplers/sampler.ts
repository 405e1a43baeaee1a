// The contract of a sampler: it sees a denoiser and a process, and knows no model. Noise is injected.

import type * as tf from "@tensorflow/tfjs-core";
import type { Prediction } from "../diffusion/prediction.ts";
import type { Process } from "../diffusion/process.ts";

/** Called inside a tidy scope; `step` counts in the (respaced) process. x_t is float32 [B, H, W, C]. */
export type Denoiser = (x_t: tf.Tensor, step: number) => Prediction;

export interface SampleOptions {
  readonly process: Process;
  /** Clip x_0 to [-1, 1] at every step. */
  readonly clip: boolean;
  /** DDIM's eta, in [0, 1]. */
  readonly eta: number;
  /** The variance of the ancestral step, where the denoiser gives none. */
  readonly variance: "fixed-small" | "fixed-large";
  /** Standard normal noise of the given shape for a step. */
  readonly noise: (step: number, shape: number[]) => tf.Tensor;
}

/** One step back, from x_t to x_(t-1): both float32 [B, H, W, C] in the space of x_t, x0 as it was predicted on the way. */
export interface StepResult {
  readonly x: tf.Tensor;
  readonly x0: tf.Tensor;
}

export type SamplerStep = (denoise: Denoiser, x_t: tf.Tensor, step: number, options: SampleOptions) => StepResult;

/** An entry of the table. */
export interface Sampler {
  readonly about: string;
  load(): Promise<SamplerStep>;
}
