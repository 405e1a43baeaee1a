// DPM-Solver++ with noise at both of its evaluations: k-diffusion's sample_dpmpp_sde.

import { combine } from "./combine.ts";
import { exponentialStep, type Solver } from "./exponential.ts";
import type { Walk } from "./sampler.ts";
import { ancestralSplit, between } from "./sigma-math.ts";

const SOLVER: Solver = { predict: "x0", expansion: "midpoint" };

/** @param r where in t its second evaluation is, a share of the step. */
export const dpmppSde = (r = 0.5, sNoise = 1): Walk =>
  function* (denoise, x, sigmas, { eta, noise }) {
    let draws = 0;
    for (let i = 0; i < sigmas.length - 1; i++) {
      const sigma = sigmas[i]!;
      const image = denoise(x, sigma);
      const noisedStep = (to: number, m: typeof x) => {
        const { down, up } = ancestralSplit(sigma, to, eta);
        const there = exponentialStep(SOLVER, x, sigma, down, { m });
        return up > 0 ? combine([1, there], [up * sNoise, noise(draws++)]) : there;
      };
      const next = sigmas[i + 1]!;
      if (next === 0) x = image;
      else {
        const middle = between(sigma, next, r);
        const second = denoise(noisedStep(middle, image), middle);
        const share = 1 / (2 * r);
        x = noisedStep(next, combine([1 - share, image], [share, second]));
      }
      yield { x };
    }
  };
