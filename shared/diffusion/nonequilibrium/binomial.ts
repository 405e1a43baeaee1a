// The binomial process on bits: every step draws a bit anew, 1 half of the time, with probability beta_t.
// Sohl-Dickstein et al. 2015, Table App.1. Bits are float32, 0 or 1; a distribution is its probability of 1, or its logit.

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../../rng/exact-math.ts";
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

/** The logit of a bit that is what it was with probability `kept`, or else drawn anew: of a 1. */
export const logOdds = (kept: number): number => exactLog((1 + kept) / (1 - kept));

/** The evidence of bits: 1 speaks for 1 and 0 for 0, by as much. */
export const speaking = (x: T, odds: number | T): T => tf.mul(tf.sub(tf.mul(x, 2), 1), odds);

/** The logit of the kernel, taken backwards. */
const kernelLogit = (c: Coefficients, x: T, t: Steps): T =>
  speaking(
    x,
    at((i) => logOdds(1 - c.betas[i]!), t),
  );

/**
 * q(x_(t-1) = 1 | x_t, x_0) as a logit, by Bayes' rule from what is known forwards and backwards. Of steps in [1, T): before the
 * first, x_0 itself is known.
 */
export const binomialPosteriorLogit = (c: Coefficients, x0: T, x_t: T, t: Steps): T =>
  tf.add(
    speaking(
      x0,
      at((i) => logOdds(c.alphasCumprodPrev[i]!), t),
    ),
    kernelLogit(c, x_t, t),
  );

/** log(1 + e^x), to the last digits where it is small. */
export const softplus = (x: T): T => tf.add(tf.relu(x), tf.log1p(tf.exp(tf.neg(tf.abs(x)))));

/** The log odds of a bit, as those of what it becomes: 2 artanh(kept tanh(logit / 2)). @param odds logOdds(kept). */
const after = (logit: T, odds: number | T): T =>
  tf.sub(tf.sub(softplus(tf.add(logit, odds)), softplus(tf.sub(logit, odds))), odds);

/**
 * p(x_(t-1) = 1 | x_t) as a logit: that of the kernel taken backwards, moved by what the network says of x_0.
 * @param told the log odds of each bit of x_0 as the other bits of x_t tell it; as x_t. However sure they are, no step is surer than
 * the chain can be.
 */
export const binomialReverseLogit = (c: Coefficients, x_t: T, t: Steps, told: T): T =>
  tf.add(
    kernelLogit(c, x_t, t),
    after(
      told,
      at((i) => logOdds(c.alphasCumprodPrev[i]!), t),
    ),
  );

/** x_(t-1) from the reverse kernel. @param u uniform in [0, 1), as the logits. */
export const binomialReverseStep = (logit: T, u: T): T => tf.cast(tf.less(u, tf.sigmoid(logit)), "float32");
