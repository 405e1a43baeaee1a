// L_hybrid = L_simple + lambda L_vlb (Nichol and Dhariwal 2021, Eq. 16): the bound teaches the variance alone.

import * as tf from "@tensorflow/tfjs-core";
import type { Objective } from "./objective.ts";
import { squaredError } from "./simple.ts";
import { stopGradient } from "./stop-gradient.ts";
import { boundTerm } from "./vlb.ts";

export const hybrid: Objective = (c, options, noised, output) => {
  const channels = output.rank - 1;
  const [prediction, range] = tf.split(output, 2, channels) as [tf.Tensor, tf.Tensor];
  const mse = squaredError(c, options.predict, noised, prediction);
  const frozen = tf.concat([stopGradient(prediction), range], channels);
  // One term stands for all T of them.
  const vb = tf.mul(boundTerm(c, options, noised, frozen), options.vlbWeight * c.betas.length);
  return { loss: tf.add(mse, vb), mse, vb };
};
