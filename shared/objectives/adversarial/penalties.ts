// What is added to the discriminator's loss for its slope with respect to images. Learning of it takes second derivatives: the
// discriminator must be made of operations whose gradients have gradients (shared/nn/plain-layers.ts).

import * as tf from "@tensorflow/tfjs-core";

type T = tf.Tensor;

/** Logits, float32 [B], of images. */
export type Critic = (x: T) => T;

/** float32 [B, ...], as x: of each sample's own logit. */
export const slopeOf = (critic: Critic, x: T): T => tf.grad((at: T) => tf.sum(critic(at)))(x);

/** |slope|^2, float32 [B]. */
const squaredNorms = (slope: T): T => tf.sum(tf.reshape(tf.square(slope), [slope.shape[0]!, -1]), 1);

/** gamma / 2 E |grad D(x)|^2 at real images: R1 of Mescheder et al. 2018, Eq. 9. */
export const r1 = (critic: Critic, real: T, gamma: number): tf.Scalar =>
  tf.mul(tf.mean(squaredNorms(slopeOf(critic, real))), gamma / 2);

/** Keeps the root's own slope finite where there is none. */
const TINY = 1e-12;

/**
 * lambda E (|grad D(x)| - 1)^2 on the lines between real and generated images: Gulrajani et al. 2017, Eq. 3.
 * @param u where on its line each sample is asked, uniform in [0, 1): float32 [B, 1, ..., 1].
 */
export function gradientPenalty(critic: Critic, real: T, fake: T, u: T, lambda: number): tf.Scalar {
  const norms = tf.sqrt(tf.add(squaredNorms(slopeOf(critic, between(real, fake, u))), TINY));
  return tf.mul(tf.mean(tf.square(tf.sub(norms, 1))), lambda);
}

/** u real + (1 - u) fake. */
export const between = (real: T, fake: T, u: T): T => tf.add(tf.mul(real, u), tf.mul(fake, tf.sub(1, u)));
