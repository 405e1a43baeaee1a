// Time run backwards: Song et al. 2021, Eq. 6 (the reverse SDE) and Eq. 13 (the probability-flow ODE with the same marginals).

import * as tf from "@tensorflow/tfjs-core";
import { at, type Steps } from "../../diffusion/prediction.ts";
import type { LinearNoise } from "../../diffusion/processes/process.ts";

/** Drift of the reverse SDE, f - g^2 score, or of the probability flow, f - g^2 score / 2; the same of a discretised step. */
export function reverseDrift(
  { drift, diffusion }: LinearNoise,
  x: tf.Tensor,
  score: tf.Tensor,
  t: Steps,
  flow: boolean,
): tf.Tensor {
  const share = (time: number): number => (flow ? 0.5 : 1) * diffusion(time) * diffusion(time);
  return tf.sub(tf.mul(x, at(drift, t)), tf.mul(score, at(share, t)));
}
