// The Gaussian chain. Its x_0 has unit variance, as the prior has: images are divided by the data's standard deviation.

import * as tf from "@tensorflow/tfjs-core";
import { qPosterior, qSample } from "../gaussian.ts";
import { normalKl } from "../likelihood.ts";
import { processOf } from "../process.ts";
import { gaussianEntropies } from "./bound.ts";
import type { Chain, ChainOptions } from "./chain.ts";
import { dequantised, reverseKernel, reverseStep } from "./gaussian.ts";
import { gaussianBetas } from "./schedule.ts";

/** Between two values of 8-bit images in [-1, 1]. */
const BIN = 2 / 255;

export function gaussianChain({ timesteps, sigmaData }: ChainOptions): Chain {
  const process = processOf(gaussianBetas(timesteps));
  const data: Chain["data"] = (images, random) =>
    tf.div(random ? dequantised(images, random.uniforms(), BIN) : images, sigmaData);
  return {
    T: timesteps,
    entropies: gaussianEntropies(process),
    bin: BIN / sigmaData,
    data,
    images: (x) => tf.mul(x, sigmaData),
    noised: (x0, t, random) => qSample(process, x0, t, random.normals()),
    seen: (x_t) => x_t,
    prior: (random) => random.normals(),
    reverse(x_t, t, output) {
      const [muCoeff, betaCoeff] = tf.split(output, 2, 3) as [tf.Tensor, tf.Tensor];
      const p = reverseKernel(process, x_t, t, muCoeff, betaCoeff);
      return {
        divergence: (x0) => normalKl(qPosterior(process, x0, x_t, t), p),
        draw: (random, seen) =>
          reverseStep(
            p,
            random.normals(),
            seen && {
              observed: data(seen.images),
              ...(seen.noise !== undefined && { sigma: seen.noise / sigmaData }),
              ...(seen.known && { known: seen.known }),
            },
          ),
      };
    },
  };
}
