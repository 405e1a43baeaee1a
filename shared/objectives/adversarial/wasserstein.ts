// The Wasserstein distance in its dual form: Arjovsky et al. 2017, Eq. 3. The discriminator is a critic, and must be held to a slope
// of 1: by a penalty, or by spectral norms.

import * as tf from "@tensorflow/tfjs-core";
import type { AdversarialObjective } from "../objective.ts";

export const wasserstein: AdversarialObjective = {
  discriminator: (real, fake) => tf.sub(tf.mean(fake), tf.mean(real)) as tf.Scalar,
  generator: (fake) => tf.neg(tf.mean(fake)) as tf.Scalar,
};
