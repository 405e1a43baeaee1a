// Ancestral walks: a method of the ODE down past the next sigma, then noise back up to it. k-diffusion's samplers.

import { combine } from "./combine.ts";
import { dpmpp2s } from "./exponential.ts";
import { dpm2, euler } from "./ode.ts";
import type { Method, Walk } from "./sampler.ts";
import { ancestralSplit } from "./sigma-math.ts";

/** @param sNoise scales the noise; its draws are counted by steps. */
const ancestrally = (method: Method, sNoise = 1): Walk =>
  function* (denoise, x, sigmas, { eta, noise }) {
    for (let i = 0; i < sigmas.length - 1; i++) {
      const { down, up } = ancestralSplit(sigmas[i]!, sigmas[i + 1]!, eta);
      x = method(denoise, x, sigmas[i]!, down);
      if (up > 0) x = combine([1, x], [up * sNoise, noise(i)]);
      yield { x };
    }
  };

export const eulerAncestral = (sNoise?: number): Walk => ancestrally(euler(), sNoise);
export const dpm2Ancestral = (sNoise?: number): Walk => ancestrally(dpm2, sNoise);
export const dpmpp2sAncestral = (sNoise?: number): Walk => ancestrally(dpmpp2s, sNoise);
