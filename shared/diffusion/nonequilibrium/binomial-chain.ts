// The binomial chain: images whose pixels are bits, black or white.

import * as tf from "@tensorflow/tfjs-core";
import { processOf } from "../process.ts";
import {
  binomialMarginal,
  binomialPosteriorLogit,
  binomialReverseLogit,
  binomialReverseStep,
  logOdds,
  speaking,
} from "./binomial.ts";
import { binomialDivergence, binomialEntropies } from "./bound.ts";
import type { Chain, ChainOptions, Seen } from "./chain.ts";
import { binomialBetas } from "./schedule.ts";

type T = tf.Tensor;

const bitsWhere = (condition: T): T => tf.cast(condition, "float32");

export function binomialChain({ timesteps }: ChainOptions): Chain {
  const process = processOf(binomialBetas(timesteps));
  const data: Chain["data"] = (images) => bitsWhere(tf.greater(images, 0));
  const images: Chain["images"] = (x) => tf.sub(tf.mul(x, 2), 1);
  /** Bits of which each was flipped so often, as a factor of p: its log odds add up. */
  const weighed = (logit: T, { images, noise }: Seen): T =>
    noise === undefined ? logit : tf.add(logit, speaking(data(images), logOdds(1 - 2 * noise)));
  return {
    T: timesteps,
    entropies: binomialEntropies(process),
    bin: 1,
    data,
    images,
    noised: (x0, t, random) => bitsWhere(tf.less(random.uniforms(), binomialMarginal(process, x0, t))),
    seen: images,
    prior: (random) => bitsWhere(tf.less(random.uniforms(), 0.5)),
    reverse(x_t, t, output) {
      const p = binomialReverseLogit(process, x_t, t, output);
      return {
        divergence: (x0) => binomialDivergence(binomialPosteriorLogit(process, x0, x_t, t), p),
        draw(random, seen) {
          const x = binomialReverseStep(seen ? weighed(p, seen) : p, random.uniforms());
          return seen?.known ? tf.where(tf.cast(seen.known, "bool"), data(seen.images), x) : x;
        },
      };
    },
  };
}
