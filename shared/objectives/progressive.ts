// Progressive distillation: Salimans and Ho 2022, Algorithm 2. One step of the student shall lead where two of the teacher do.

import * as tf from "@tensorflow/tfjs-core";
import type { LevelDenoiser } from "../diffusion/consistency.ts";
import { at, type Steps, through } from "../diffusion/prediction.ts";
import { type Weighed, weighedDistance } from "./distance.ts";
import { stopGradient } from "./stop-gradient.ts";
import { eulerTo } from "./teacher.ts";

type T = tf.Tensor;

export interface ProgressiveOptions extends Weighed {
  /** The teacher's levels, highest first, float64 [2 N + 1]: the student visits every other one. */
  readonly sigmas: Float64Array;
  readonly student: LevelDenoiser;
  /** Nothing is learned of it. */
  readonly teacher: LevelDenoiser;
}

/** @param x0 and eps float32 [B, H, W, C]. @param i where the student's step begins, even, below 2 N. @returns float32 [B]. */
export function progressiveLoss(options: ProgressiveOptions, x0: T, eps: T, i: Steps): T {
  const { sigmas, student, teacher } = options;
  const [sigma, middle] = [through(sigmas, i), through(sigmas, i, 1)];
  const x = tf.add(x0, tf.mul(eps, at(sigmas, i)));
  const half = eulerTo(x, teacher(x, sigma), sigmas, i);
  const whole = eulerTo(half, teacher(half, middle), sigmas, i, 1);
  // The x_0 that leads there in one step: whole = D + (next / sigma)(x - D), solved for D.
  const slope = tf.div(
    tf.sub(whole, x),
    at((k) => sigmas[k + 2]! - sigmas[k]!, i),
  );
  const target = tf.sub(x, tf.mul(slope, at(sigmas, i)));
  return weighedDistance(options, sigma, student(x, sigma), stopGradient(target));
}
