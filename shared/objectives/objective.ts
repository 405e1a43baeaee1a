// The contract of an objective.

import type * as tf from "@tensorflow/tfjs-core";
import type { Chain, Reverse } from "../diffusion/nonequilibrium/chain.ts";
import type { Noised, Prediction, VarianceType } from "../diffusion/prediction.ts";
import type { Coefficients } from "../diffusion/process.ts";

/** What a network was shown, and how its answer is read. */
export interface Asked extends Noised {
  /** What it should have said: float32 [B, H, W, C]. */
  readonly target: tf.Tensor;
  /** Weight of |output - target|^2, a number or float32 [B, 1, 1, 1]; 1 when absent. */
  readonly weight?: number | tf.Tensor | undefined;
  /** What an output says of x_t. */
  read(output: tf.Tensor): Prediction;
}

export interface ObjectiveOptions {
  /** Of the discrete process whose bound is meant. */
  readonly coefficients: Coefficients;
  readonly variance: VarianceType;
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
export type Objective = (asked: Asked, output: tf.Tensor, options: ObjectiveOptions) => Terms;

/** Of a chain: x_0, and the step back that the network gave. */
export type ChainObjective = (chain: Chain, x0: tf.Tensor, reverse: Reverse) => Pick<Terms, "loss">;

/** An entry of the table. */
export type ObjectiveKind = { readonly about: string } & (
  | { readonly of: "levels"; load(): Promise<Objective> }
  | { readonly of: "chain"; load(): Promise<ChainObjective> }
);
