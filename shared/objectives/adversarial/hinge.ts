// The hinge loss of Lim and Ye 2017, as Miyato et al. 2018 have it (Eq. 16, 17).

import * as tf from "@tensorflow/tfjs-core";
import type { AdversarialObjective } from "../objective.ts";

export const hinge: AdversarialObjective = {
  discriminator: (real, fake) =>
    tf.add(tf.mean(tf.relu(tf.sub(1, real))), tf.mean(tf.relu(tf.add(1, fake)))) as tf.Scalar,
  generator: (fake) => tf.neg(tf.mean(fake)) as tf.Scalar,
};
