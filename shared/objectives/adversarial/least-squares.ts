// Least squares: Mao et al. 2017, Eq. 9, towards 1 for real images and for those that shall pass for real, 0 for others.

import * as tf from "@tensorflow/tfjs-core";
import type { AdversarialObjective } from "../objective.ts";

const half = (squares: tf.Tensor): tf.Scalar => tf.mul(tf.mean(squares), 0.5);

export const leastSquares: AdversarialObjective = {
  discriminator: (real, fake) => tf.add(half(tf.square(tf.sub(real, 1))), half(tf.square(fake))),
  generator: (fake) => half(tf.square(tf.sub(fake, 1))),
};
