// The contract of predictors and correctors: both move x at a time of the process.

import * as tf from "@tensorflow/tfjs-core";
import type { Steps } from "../../diffusion/prediction.ts";
import type { SdeProcess } from "../../diffusion/processes/process.ts";

type T = tf.Tensor;

/** x with the noise of the move, and without. */
export interface Update {
  readonly x: T;
  readonly mean: T;
}

/** x_t float32 [B, H, W, C], its score, and fresh standard normal noise of its shape at every call. */
interface Situation {
  readonly x: T;
  readonly t: Steps;
  score(x: T): T;
  noise(): T;
}

export type Rule = (situation: Situation) => Update;

/** @param N steps of the whole walk. */
export type MakeRule = (process: SdeProcess, N: number) => Rule;

export const none: MakeRule =
  () =>
  ({ x }) => ({ x, mean: x });

export const spread = (mean: T, z: T, deviation: T | number): Update => ({
  x: tf.add(mean, tf.mul(z, deviation)),
  mean,
});
