// The midpoint method on the probability-flow ODE, its middle as in a Karras grid of rho = 3 between both ends: the "dpm" sampler
// of consistency models' teachers (Song et al. 2023), after DPM-Solver-2 and Karras et al. 2022, Algorithm 2.

import * as tf from "@tensorflow/tfjs-core";
import { exactPow } from "../rng/exact-math.ts";
import { type Churn, oneStep, slope } from "./ode.ts";
import type { Walk } from "./sampler.ts";

/** Two evaluations a step, the last too: the middle of a step to 0 is not 0. */
export const midpoint = (churn: Churn = { churn: 0 }): Walk =>
  oneStep(churn, (denoise, x, d, hat, next) => {
    const root = (exactPow(hat, 1 / 3) + exactPow(next, 1 / 3)) / 2;
    const middle = root * root * root;
    const guess = tf.add(x, tf.mul(d, middle - hat));
    return tf.add(x, tf.mul(slope(guess, denoise(guess, middle), middle), next - hat));
  });
