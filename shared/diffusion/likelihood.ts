// Terms of the variational bound (Ho et al. 2020, Eq. 5) in bits a dimension, with the likelihood of 8-bit images as the
// decoder (Sec. 3.3). Tensors are float32 [B, H, W, C]; a term is float32 [B].

import * as tf from "@tensorflow/tfjs-core";
import { type Gaussian, qMeanVariance, qPosterior } from "./gaussian.ts";
import { type Noised, perSample } from "./prediction.ts";
import type { Coefficients } from "./process.ts";

type T = tf.Tensor;

/** A Gaussian by what its divergence needs; numbers are the same for every element. */
interface Moments {
  readonly mean: T | number;
  readonly logVariance: T | number;
}

/** KL(q || p) of diagonal Gaussians, element by element, in nats. */
export function normalKl(q: Moments, p: Moments): T {
  const gap = tf.sub(q.logVariance, p.logVariance);
  const distance = tf.mul(tf.squaredDifference(q.mean, p.mean), tf.exp(tf.neg(p.logVariance)));
  return tf.mul(tf.add(tf.sub(tf.sub(tf.exp(gap), 1), gap), distance), 0.5);
}

/** Phi(x) by its tanh approximation (Page 1977), within 2e-4: what the published likelihoods use. */
export function approxStandardNormalCdf(x: T): T {
  const cubic = tf.add(x, tf.mul(tf.mul(tf.mul(x, x), x), 0.044715));
  return tf.mul(tf.add(tf.tanh(tf.mul(cubic, Math.sqrt(2 / Math.PI))), 1), 0.5);
}

/** A bin of no mass would cost infinitely many nats. */
const LEAST_MASS = 1e-12;
const logOf = (mass: T): T => tf.log(tf.maximum(mass, LEAST_MASS));

/**
 * log p of 8-bit values x = k / 127.5 - 1 under N(mean, exp(logScale)^2), each bin 2/255 wide and the outer ones open: Ho et
 * al. 2020, Eq. 13. In nats, element by element.
 */
export function discretizedGaussianLogLikelihood(x: T, mean: T, logScale: T | number): T {
  const centred = tf.sub(x, mean);
  const perScale = tf.exp(tf.neg(logScale));
  const below = approxStandardNormalCdf(tf.mul(perScale, tf.add(centred, 1 / 255)));
  const under = approxStandardNormalCdf(tf.mul(perScale, tf.sub(centred, 1 / 255)));
  const inside = tf.where(tf.greater(x, 0.999), logOf(tf.sub(1, under)), logOf(tf.sub(below, under)));
  return tf.where(tf.less(x, -0.999), logOf(below), inside);
}

/** The mean over all axes but the first: [B]. */
export function meanFlat(x: T): T {
  return tf.mean(
    x,
    x.shape.slice(1).map((_, axis) => axis + 1),
  );
}

const inBits = (nats: T): T => tf.div(nats, Math.LN2);

/**
 * The bound's term of step t for the model's step back p: L_(t-1) = KL(q(x_(t-1) | x_t, x_0) || p), and at t = 0
 * L_0 = -log p(x_0 | x_1). Bits a dimension, float32 [B].
 */
export function vlbTerm(c: Coefficients, { x0, x_t, t }: Noised, p: Gaussian): T {
  const kl = meanFlat(normalKl(qPosterior(c, x0, x_t, t), p));
  const nll = tf.neg(meanFlat(discretizedGaussianLogLikelihood(x0, p.mean, tf.mul(p.logVariance, 0.5))));
  const isFirst = perSample((step) => (step === 0 ? 1 : 0), t);
  return inBits(tf.where(tf.greater(isFirst, 0), nll, kl));
}

/** L_T = KL(q(x_T | x_0) || N(0, I)): what no training can change. Bits a dimension, float32 [B]. */
export function priorTerm(c: Coefficients, x0: T): T {
  return inBits(meanFlat(normalKl(qMeanVariance(c, x0, c.betas.length - 1), { mean: 0, logVariance: 0 })));
}
