// Consistency training and distillation: Song et al. 2023, Algorithms 2 and 3. Two neighbouring points of one path of the
// probability-flow ODE shall have one image.

import * as tf from "@tensorflow/tfjs-core";
import type { LevelDenoiser } from "../diffusion/consistency.ts";
import { karras } from "../diffusion/grids.ts";
import { at, type Steps, through } from "../diffusion/prediction.ts";
import { progressiveScales } from "./curriculum.ts";
import type { Aim, Denoisers, LevelObjective, LevelOptions, Path } from "./objective.ts";
import { eulerTo } from "./teacher.ts";

type T = tf.Tensor;

/**
 * Distillation where there is a teacher; without one the image itself stands in for it: training in isolation. The target is
 * the network that learns, as it is: the EMA of Song et al. 2023 with mu = 0, as Song and Dhariwal 2023, Sec. 3.2, derive it.
 * N is constant, or grows by Song et al. 2023, App. C; distance and weights are those of their Algorithms' defaults, l2 and 1.
 */
export function consistency({ sigmaMin, sigmaMax, sigmaData, scales }: LevelOptions): LevelObjective {
  const { start, end = start, steps } = scales;
  const grow = { start, end: end - 1, totalSteps: steps };
  return {
    weighed: { distance: "l2", weighting: "uniform", sigmaData },
    stride: 1,
    levels: (step) => karras(progressiveScales(Math.min(step, steps), grow), sigmaMin, sigmaMax),
    aim: consistencyAim,
  };
}

/** The image that the target sees at the next level: of each level but the last, i below N - 1. */
export function consistencyAim({ x0, eps, sigmas, i }: Path, { target, teacher }: Denoisers): Aim {
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
  return { x, sigma, image: target(xNext, next) };
}

/** Heun's step of the teacher's ODE from level i to the next. */
function heunTo(teacher: LevelDenoiser, x: T, sigmas: Path["sigmas"], i: Steps): T {
  const denoised = teacher(x, through(sigmas, i));
  const guess = eulerTo(x, denoised, sigmas, i);
  const there = teacher(guess, through(sigmas, i, 1));
  // The mean of both slopes, (x - D) / sigma at either end, over the way.
  const slopes = tf.add(
    tf.div(tf.sub(x, denoised), at(sigmas, i)),
    tf.div(
      tf.sub(guess, there),
      at((k) => sigmas(k + 1), i),
    ),
  );
  return tf.add(
    x,
    tf.mul(
      slopes,
      at((k) => (sigmas(k + 1) - sigmas(k)) / 2, i),
    ),
  );
}
