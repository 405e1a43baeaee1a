// L_hybrid = L_simple + lambda L_vlb (Nichol and Dhariwal 2021, Eq. 16): the bound teaches the variance alone.

import * as tf from "@tensorflow/tfjs-core";
import type { Objective } from "./objective.ts";
import { squaredError } from "./simple.ts";
import { stopGradient } from "./stop-gradient.ts";
import { boundTerm } from "./vlb.ts";

export const hybrid: Objective = (asked, output, options) => {
  const channels = output.rank - 1;
  const [F, learned] = tf.split(output, 2, channels) as [tf.Tensor, tf.Tensor];
  const mse = squaredError(asked, F);
  const frozen = tf.concat([stopGradient(F), learned], channels);
  // One term stands for all T of them.
  const weight = options.vlbWeight * options.coefficients.betas.length;
  const vb = tf.mul(boundTerm(asked, frozen, options), weight);
  return { loss: tf.add(mse, vb), mse, vb };
};
