// The classifier's objective: -log p(y | x_t) at random noise levels (Dhariwal and Nichol 2021, Sec. 4).

import * as tf from "@tensorflow/tfjs-core";
import { logLikelihood } from "../nn/log-likelihood.ts";
import type { Objective } from "./objective.ts";

/** In nats; ln K of a classifier of K classes that knows nothing. */
export const crossEntropy: Objective = ({ labels }, logits) => ({ loss: tf.neg(logLikelihood(logits, labels())) });
