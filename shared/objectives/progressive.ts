// Progressive distillation: Salimans and Ho 2022, Algorithm 2. One step of the student shall lead where two of the teacher do.

import * as tf from "@tensorflow/tfjs-core";
import { karras } from "../diffusion/grids.ts";
import { at, through } from "../diffusion/prediction.ts";
import { invariant } from "../invariant.ts";
import type { Aim, Denoisers, LevelObjective, LevelOptions, Path } from "./objective.ts";
import { eulerTo } from "./teacher.ts";

/** A student of N = scales.start steps, with the truncated SNR's weights: Salimans and Ho 2022, Eq. 9. */
export const progressive = ({ sigmaMin, sigmaMax, sigmaData, scales }: LevelOptions): LevelObjective => {
  // The teacher's levels, [2 N + 1]: the student visits every other one.
  const sigmas = karras(2 * scales.start + 1, sigmaMin, sigmaMax);
  return {
    weighed: { distance: "l2", weighting: "truncated-snr", sigmaData },
    stride: 2,
    levels: () => sigmas,
    aim: progressiveAim,
  };
};

/** The x_0 whose one step leads to where the teacher's two do: of every other level, i even and below 2 N. */
export function progressiveAim({ x0, eps, sigmas, i }: Path, { teacher }: Denoisers): Aim {
  invariant(teacher, "progressive distillation has a teacher");
  const [sigma, middle] = [through(sigmas, i), through(sigmas, i, 1)];
  const x = tf.add(x0, tf.mul(eps, at(sigmas, i)));
  const half = eulerTo(x, teacher(x, sigma), sigmas, i);
  const whole = eulerTo(half, teacher(half, middle), sigmas, i, 1);
  // whole = D + (next / sigma)(x - D), solved for D.
  const slope = tf.div(
    tf.sub(whole, x),
    at((k) => sigmas(k + 2) - sigmas(k), i),
  );
  return { x, sigma, image: tf.sub(x, tf.mul(slope, at(sigmas, i))) };
}
