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
