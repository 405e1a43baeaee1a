// The midpoint method on the probability-flow ODE, its middle as in a Karras grid of rho = 3 between both ends: the "dpm" sampler
// of consistency models' teachers (Song et al. 2023), after DPM-Solver-2 and Karras et al. 2022, Algorithm 2.

import { exactPow } from "../rng/exact-math.ts";
import { combine } from "./combine.ts";
import { euler, slope } from "./ode.ts";
import type { Method } from "./sampler.ts";

/** Two evaluations a step, the last too: the middle of a step to 0 is not 0. */
export const midpoint: Method = (denoise, x, sigma, next) => {
  const root = (exactPow(sigma, 1 / 3) + exactPow(next, 1 / 3)) / 2;
  const middle = root * root * root;
  const guess = euler()(denoise, x, sigma, middle);
  return combine([1, x], [next - sigma, slope(guess, denoise(guess, middle), middle)]);
};
