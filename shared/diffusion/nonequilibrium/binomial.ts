// The binomial process on bits: every step draws a bit anew, 1 half of the time, with probability beta_t.
// Sohl-Dickstein et al. 2015, Table App.1. Bits are float32, 0 or 1; a distribution is its probability of 1, or its logit.

import * as tf from "@tensorflow/tfjs-core";
import { at, type Steps } from "../prediction.ts";
import type { Coefficients } from "../process.ts";

type T = tf.Tensor;

/** The probability of 1 after a bit was kept with probability `share`, and drawn anew otherwise. */
const keptBy = (x: T, share: number | T): T => tf.add(tf.mul(tf.sub(x, 0.5), share), 0.5);

/** q(x_t = 1 | x_(t-1)). The same kernel, taken backwards, leaves fair bits fair. */
export const binomialKernel = (c: Coefficients, x: T, t: Steps): T =>
  keptBy(
    x,
    at((i) => 1 - c.betas[i]!, t),
  );

/** q(x_t = 1 | x_0). */
export const binomialMarginal = (c: Coefficients, x0: T, t: Steps): T => keptBy(x0, at(c.alphasCumprod, t));

/** q(x_(t-1) = 1 | x_t, x_0), by Bayes' rule from what is known forwards and backwards. */
export function binomialPosterior(c: Coefficients, x0: T, x_t: T, t: Steps): T {
  const before = keptBy(x0, at(c.alphasCumprodPrev, t));
  // The kernel is symmetric: q(x_t | x_(t-1) = 1) is q(x_(t-1) = 1 | x_t) of fair bits.
  const likely = binomialKernel(c, x_t, t);
  const one = tf.mul(before, likely);
  return tf.div(one, tf.add(one, tf.mul(tf.sub(1, before), tf.sub(1, likely))));
}

/**
 * p(x_(t-1) = 1 | x_t) as a logit: that of the kernel taken backwards, moved by what the network says.
 * @param coeff as x_t.
 */
export function binomialReverseLogit(c: Coefficients, x_t: T, t: Steps, coeff: T): T {
  const p = binomialKernel(c, x_t, t);
  return tf.add(tf.sub(tf.log(p), tf.log(tf.sub(1, p))), coeff);
}

/** x_(t-1) from the reverse kernel. @param u uniform in [0, 1), as the logits. */
export const binomialReverseStep = (logit: T, u: T): T => tf.cast(tf.less(u, tf.sigmoid(logit)), "float32");
