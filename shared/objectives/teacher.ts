import * as tf from "@tensorflow/tfjs-core";
import { at, type Steps } from "../diffusion/prediction.ts";
import type { Path } from "./objective.ts";

/** Euler's step of dx/dsigma = (x - D) / sigma from level k = i + further to the next: D + (sigma_(k+1) / sigma_k)(x - D). */
export function eulerTo(x: tf.Tensor, denoised: tf.Tensor, sigmas: Path["sigmas"], i: Steps, further = 0): tf.Tensor {
  const rest = at((k) => sigmas(k + further + 1) / sigmas(k + further), i);
  return tf.add(denoised, tf.mul(tf.sub(x, denoised), rest));
}
