// The Gaussian reverse kernel, and one step back with it. Sohl-Dickstein et al. 2015, Secs. 2.2 and 2.5; the authors' code
// (model.py, sampler.py). The forward side is ../gaussian.ts.

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../../rng/exact-math.ts";
import type { Gaussian } from "../gaussian.ts";
import { at, type Steps } from "../prediction.ts";
import type { Coefficients } from "../process.ts";

type T = tf.Tensor;

/** x_0 with noise that hides how its values were rounded. @param u uniform in [0, 1), as x0. @param width of the noise. */
export const dequantised = (x0: T, u: T, width: number): T => tf.add(x0, tf.mul(tf.sub(u, 0.5), width));

/**
 * p(x_(t-1) | x_t): mean x_t sqrt(1 - beta_t) + muCoeff sqrt(beta_t), variance
 * sigmoid(betaCoeff / sqrt(T) + logit(beta_t)).
 * @param muCoeff, betaCoeff as x_t.
 */
export function reverseKernel(c: Coefficients, x_t: T, t: Steps, muCoeff: T, betaCoeff: T): Required<Gaussian> {
  const { betas } = c;
  const kept = at((i) => Math.sqrt(1 - betas[i]!), t);
  const moved = at((i) => Math.sqrt(betas[i]!), t);
  const logit = at((i) => exactLog(betas[i]! / (1 - betas[i]!)), t);
  const variance = tf.sigmoid(tf.add(tf.div(betaCoeff, Math.sqrt(betas.length)), logit));
  return {
    mean: tf.add(tf.mul(x_t, kept), tf.mul(muCoeff, moved)),
    variance,
    logVariance: tf.log(variance),
  };
}

/** What is known of x_0 beforehand. */
export interface Evidence {
  /** As x_0. */
  readonly observed: T;
  /** Standard deviation of the noise in what was observed: denoises. */
  readonly sigma?: number;
  /** 1 where what was observed is the truth, 0 where nothing is known: inpaints. */
  readonly known?: T;
}

/** x_(t-1) from the reverse kernel, multiplied by the evidence if there is any (Sec. 2.5). @param noise N(0, 1). */
export function reverseStep(p: Pick<Gaussian, "mean" | "variance">, noise: T, evidence?: Evidence): T {
  const { mean, variance } =
    evidence?.sigma === undefined ? p : product(p, { mean: evidence.observed, variance: evidence.sigma ** 2 });
  const x = tf.add(mean, tf.mul(tf.sqrt(variance), noise));
  return evidence?.known ? tf.where(tf.cast(evidence.known, "bool"), evidence.observed, x) : x;
}

type Moments = Pick<Gaussian, "mean" | "variance">;

/** The Gaussian proportional to the product of two. */
function product(a: Moments, b: Moments): Moments {
  const sum = tf.add(a.variance, b.variance);
  return {
    mean: tf.div(tf.add(tf.mul(a.mean, b.variance), tf.mul(b.mean, a.variance)), sum),
    variance: tf.div(tf.mul(a.variance, b.variance), sum),
  };
}
