// Multistep consistency sampling: Song et al. 2023, Algorithm 1. Jump to x_0, add noise again up to the next level, and so
// on; two levels are sampling in one step.

import * as tf from "@tensorflow/tfjs-core";
import type { Walk } from "./sampler.ts";

/** The last level is the one at which a consistency function is the identity, so noise is added beside what it has. */
export const consistencySteps: Walk = function* (denoise, x, sigmas, { noise }) {
  const least = sigmas.at(-1)!;
  for (let i = 0; i < sigmas.length - 1; i++) {
    const x0 = denoise(x, sigmas[i]!);
    const next = sigmas[i + 1]!;
    x = next > least ? tf.add(x0, tf.mul(noise(i), Math.sqrt(next * next - least * least))) : x0;
    yield { x };
  }
};
