// Consistency training and distillation: Song et al. 2023, Algorithms 2 and 3. Two neighbouring points of one path of the
// probability-flow ODE shall have one image.

import * as tf from "@tensorflow/tfjs-core";
import type { LevelDenoiser } from "../diffusion/consistency.ts";
import { at, type Steps, through } from "../diffusion/prediction.ts";
import { type Weighed, weighedDistance } from "./distance.ts";
import { stopGradient } from "./stop-gradient.ts";
import { eulerTo } from "./teacher.ts";

type T = tf.Tensor;

export interface ConsistencyOptions extends Weighed {
  /** Noise levels, highest first, float64 [N]: Karras et al. 2022, Eq. 5. */
  readonly sigmas: Float64Array;
  readonly online: LevelDenoiser;
  /** The same network with the target's parameters, an EMA of the online ones. Nothing is learned of it. */
  readonly target: LevelDenoiser;
  /** The denoiser that is distilled; without one the image itself stands in for it: training in isolation. */
  readonly teacher?: LevelDenoiser;
}

/** @param x0 and eps float32 [B, H, W, C]. @param i which levels, each below N - 1. @returns float32 [B]. */
export function consistencyLoss(options: ConsistencyOptions, x0: T, eps: T, i: Steps): T {
  const { sigmas, online, target, teacher } = options;
  const [sigma, next] = [through(sigmas, i), through(sigmas, i, 1)];
  const noised = (level: Steps): T =>
    tf.add(
      x0,
      tf.mul(
        eps,
        at((s) => s, level),
      ),
    );
  const x = noised(sigma);
  // Euler's step with x_0 itself as the denoiser ends exactly at x_0 + next eps.
  const xNext = teacher ? heunTo(teacher, x, sigmas, i) : noised(next);
  return weighedDistance(options, sigma, online(x, sigma), stopGradient(target(xNext, next)));
}

/** Heun's step of the teacher's ODE from level i to the next. */
function heunTo(teacher: LevelDenoiser, x: T, sigmas: Float64Array, i: Steps): T {
  const denoised = teacher(x, through(sigmas, i));
  const guess = eulerTo(x, denoised, sigmas, i);
  const there = teacher(guess, through(sigmas, i, 1));
  // The mean of both slopes, (x - D) / sigma at either end, over the way.
  const slopes = tf.add(
    tf.div(tf.sub(x, denoised), at(sigmas, i)),
    tf.div(
      tf.sub(guess, there),
      at((k) => sigmas[k + 1]!, i),
    ),
  );
  return tf.add(
    x,
    tf.mul(
      slopes,
      at((k) => (sigmas[k + 1]! - sigmas[k]!) / 2, i),
    ),
  );
}
