// The contract of an objective.

import type * as tf from "@tensorflow/tfjs-core";
import type { Noised, Reads } from "../diffusion/prediction.ts";
import type { Coefficients } from "../diffusion/process.ts";

export interface ObjectiveOptions extends Reads {
  /** lambda of the hybrid objective: what the sum of the bound's terms counts beside L_simple. */
  readonly vlbWeight: number;
}

/** Losses a sample, float32 [B]: what is made small, and what it is the sum of. */
interface Terms {
  readonly loss: tf.Tensor;
  readonly mse?: tf.Tensor;
  /** As it is weighted in the loss. */
  readonly vb?: tf.Tensor;
}

/** @param output of the network at x_t, float32 [B, H, W, C], or [B, H, W, 2 C] where the variance is learned. */
export type Objective = (c: Coefficients, options: ObjectiveOptions, noised: Noised, output: tf.Tensor) => Terms;
