// A sampler that holds what is known of its images: after every step it is put back, noised to where x then stands. Song et al.
// 2021, App. I; on the steps of a discrete process Lugmayr et al. 2022, Eq. 8.

import { CLEAN, type Known } from "./known.ts";
import type { Moment, SamplerStep, Walk } from "./sampler.ts";

const NOTHING_READ = new Float32Array();

/** @param noise fresh at every call; the step's own is another. */
export const heldStep =
  (step: SamplerStep, known: Known): SamplerStep =>
  (denoise, x_t, t, options) => {
    const { x, x0 } = step(denoise, x_t, t, options);
    if (t === 0) return { x: known.keep(x, CLEAN), x0 };
    const { alphasCumprodPrev } = options.process;
    const level = { alpha: Math.sqrt(alphasCumprodPrev[t]!), sigma: Math.sqrt(1 - alphasCumprodPrev[t]!) };
    return { x: known.keep(x, level, options.noise(t, x.shape)), x0 };
  };

/** @param walk whose steps are taken from their ends alone: each is a walk of its own here. */
export const heldWalk = (walk: Walk, known: Known): Walk =>
  function* (denoise, x, sigmas, { eta, noise }) {
    let calls = 0;
    const next = () => noise(calls++);
    for (let i = 0; i < sigmas.length - 1; i++) {
      const step = walk(denoise, x, sigmas.subarray(i, i + 2), { eta, noise: next }).next(NOTHING_READ);
      x = (step.value as Moment).x;
      const level = { alpha: 1, sigma: sigmas[i + 1]! };
      x = level.sigma > 0 ? known.keep(x, level, next()) : known.keep(x, CLEAN);
      yield { x };
    }
  };
