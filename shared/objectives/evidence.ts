// What models that know a density are trained by, in nats: the negative evidence lower bound of latent variables (Kingma and Welling 2014,
// Eq. 3), its rate weighted by beta (Higgins et al. 2017, Eq. 4); the likelihood itself where there are none (Dinh et al. 2017, Eq. 3).

import * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../invariant.ts";
import type { EvidenceObjective } from "./objective.ts";

export const elbo: EvidenceObjective = ({ distortion, rate }, beta) => {
  invariant(rate, "what is bounded has a rate");
  return tf.add(distortion, tf.mul(rate, beta()));
};

export const likelihood: EvidenceObjective = ({ distortion }) => distortion;
