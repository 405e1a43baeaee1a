// Log likelihoods of what networks give, in nats.

import * as tf from "@tensorflow/tfjs-core";

type T = tf.Tensor;

/** log p(y | x) of a classifier's logits, float32 [B, ..., K], for labels int32 [B] below K: float32 [B], in nats. */
export function logLikelihood(logits: T, labels: tf.Tensor1D): tf.Tensor1D {
  const B = logits.shape[0]!;
  const K = logits.size / B;
  const logP = tf.logSoftmax(tf.reshape(logits, [B, K]));
  return tf.sum(tf.mul(logP, tf.oneHot(labels, K)), 1);
}

/** The sum over all axes but the first: [B]. */
export const sumFlat = (x: T): T => tf.sum(tf.reshape(x, [x.shape[0]!, -1]), 1);

/** log N(x; 0, I), float32 [B, ...] to [B]. */
export const standardNormal = (x: T): T =>
  tf.sub(tf.mul(sumFlat(tf.square(x)), -0.5), (0.5 * Math.log(2 * Math.PI) * x.size) / x.shape[0]!);

/**
 * log p of values x = k / 127.5 - 1 of bytes under a logistic distribution, each bin 2/255 wide and the outer ones open: Kingma et al.
 * 2016; Salimans et al. 2017, Eq. 2. In nats, element by element; all float32 of x's shape. Masses of all bytes add up to 1,
 * and no difference of two nearly equal numbers is taken: sigma(b) - sigma(a) = sigma(b) sigma(-a) (1 - e^(a - b)).
 */
export function discretizedLogistic(x: T, mean: T, logScale: T): T {
  const perScale = tf.exp(tf.neg(logScale));
  const centred = tf.sub(x, mean);
  const a = tf.mul(tf.sub(centred, 1 / 255), perScale);
  const b = tf.mul(tf.add(centred, 1 / 255), perScale);
  const zero = tf.zerosLike(x);
  const [isLeast, isMost] = [tf.less(x, -0.999), tf.greater(x, 0.999)];
  const below = tf.where(isMost, zero, tf.neg(tf.softplus(tf.neg(b))));
  const above = tf.where(isLeast, zero, tf.neg(tf.softplus(a)));
  const width = tf.log(tf.sub(1, tf.exp(tf.mul(perScale, -2 / 255))));
  return tf.add(tf.add(below, above), tf.where(tf.logicalOr(isLeast, isMost), zero, width));
}

/** Share of the unit interval that no byte is near at either end. */
const EPS = 0.1;
/** Further than any edge of a byte is from any mean. */
const FAR = 1e4;

const logit = (p: T): T => tf.log(tf.div(p, tf.sub(1, p)));

/**
 * log p of values x = k / 127.5 - 1 of bytes under a logit-Laplace distribution (Ramesh et al. 2021, App. A.3): phi, (1 - 2 eps) k / 255 +
 * eps, has a logit of the density e^(-|. - mu| / b) / 2b. Of a byte it is the mass between those that lie half a byte off, the outer ones
 * open, where the paper has the density at its middle. In nats, element by element; all float32 of x's shape.
 */
export function discretizedLogitLaplace(x: T, mu: T, logB: T): T {
  const perB = tf.exp(tf.neg(logB));
  const edge = (half: number): T => logit(tf.add(tf.mul(tf.add(x, 1 + half / 127.5), (1 - 2 * EPS) / 2), EPS));
  const far = tf.fill(x.shape, FAR);
  const a = tf.where(tf.less(x, -0.999), tf.neg(far), tf.mul(tf.sub(edge(-0.5), mu), perB));
  const b = tf.where(tf.greater(x, 0.999), far, tf.mul(tf.sub(edge(0.5), mu), perB));
  // Of a tail: e^-|nearer| (1 - e^-width) / 2; of what lies on both sides of mu: 1 less both tails.
  const nearer = tf.minimum(tf.abs(a), tf.abs(b));
  const tail = tf.sub(tf.log(tf.sub(1, tf.exp(tf.sub(a, b)))), tf.add(nearer, Math.LN2));
  const [left, right] = [tf.minimum(a, 0), tf.maximum(b, 0)];
  const tails = tf.mul(tf.add(tf.exp(left), tf.exp(tf.neg(right))), 0.5);
  const middle = tf.log(tf.sub(1, tf.minimum(tails, 1 - 1e-7)));
  // Of what is learned, and so no condition of tf.where.
  const isMiddle = tf.mul(tf.step(tf.neg(a)), tf.step(b));
  return tf.add(tf.mul(isMiddle, middle), tf.mul(tf.sub(1, isMiddle), tail));
}

/** The image of such means, [-1, 1]: phi undone. */
export const imageOfLogits = (mu: tf.Tensor4D): tf.Tensor4D =>
  tf.clipByValue(tf.div(tf.tanh(tf.div(mu, 2)), 1 - 2 * EPS), -1, 1);
