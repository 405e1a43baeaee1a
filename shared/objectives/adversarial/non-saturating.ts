// The first two losses of adversarial training: Goodfellow et al. 2014, Eq. 1, where the generator climbs what the discriminator
// descends, and their Section 3, where its gradient does not vanish while the discriminator is ahead.

import * as tf from "@tensorflow/tfjs-core";
import type { AdversarialObjective } from "../objective.ts";

type T = tf.Tensor;

/** Cross-entropy of logits against a target of 1 - smoothing for real images (one-sided: Salimans et al. 2016) and 0 for others. */
function discriminator(real: T, fake: T, smoothing: number): tf.Scalar {
  const told = tf.mean(tf.softplus(tf.neg(real)));
  // softplus(l) - softplus(-l) is l.
  const smoothed = smoothing === 0 ? told : tf.add(told, tf.mul(tf.mean(real), smoothing));
  return tf.add(smoothed, tf.mean(tf.softplus(fake)));
}

export const minimax: AdversarialObjective = {
  discriminator,
  generator: (fake) => tf.neg(tf.mean(tf.softplus(fake))) as tf.Scalar,
};

export const nonSaturating: AdversarialObjective = {
  discriminator,
  generator: (fake) => tf.mean(tf.softplus(tf.neg(fake))) as tf.Scalar,
};
