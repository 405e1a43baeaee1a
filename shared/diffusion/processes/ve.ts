// The variance-exploding SDE: Song et al. 2021, Eq. 9 and App. C. t in (0, 1], sigma(t) = sigmaMin (sigmaMax / sigmaMin)^t.

import { exactExp, exactLog } from "../../rng/exact-math.ts";
import { polyexponential } from "../grids.ts";
import { roundHalfEven } from "../respacing.ts";
import { type Discretization, type ProcessKind, SIGMA_RANGES, sigmaRange } from "./process.ts";

/** Least time of training and of sampling: score_sde. */
const EPS = 1e-5;

export const ve: ProcessKind = {
  about: "Song et al. 2021, variance-exploding SDE",
  create(options) {
    const { min, max } = sigmaRange(SIGMA_RANGES.ve, options);
    const log = exactLog(max / min);
    const sigma = (t: number): number => min * exactExp(t * log);
    return {
      span: { min: EPS, max: 1 },
      level: (t) => ({ alpha: 1, sigma: sigma(t) }),
      timeOf: (ratio) => Math.max(0, Math.min(1, exactLog(ratio / min) / log)),
      label: sigma,
      draw: (draws, n) => draws.uniforms(n).map((u) => EPS + u * (1 - EPS)),
      sde: {
        drift: () => 0,
        diffusion: (t) => sigma(t) * Math.sqrt(2 * log),
        prior: max,
        discrete: (N) => smldSteps(polyexponential(N, min, max)),
      },
    };
  },
};

/** SMLD's steps between N noise levels: Song et al. 2021, App. E and F. @param sigmas highest first, as its networks count them. */
function smldSteps(sigmas: Float64Array): Discretization {
  const last = sigmas.length - 1;
  /** Variances on both sides of the step that t falls into; beyond the least level is none. */
  const sides = (t: number) => {
    const i = Math.trunc(t * last);
    const [here, next] = [sigmas[last - i]!, i === 0 ? 0 : sigmas[last - i + 1]!];
    return { variance: here * here, rest: next * next };
  };
  const added = (t: number): number => {
    const { variance, rest } = sides(t);
    return variance - rest;
  };
  return {
    drift: () => 0,
    diffusion: (t) => Math.sqrt(added(t)),
    alpha: () => 1,
    ancestral(t) {
      const { variance, rest } = sides(t);
      return { scale: 1, gain: added(t), spread: Math.sqrt((rest * added(t)) / variance) };
    },
    network: {
      label: (t) => roundHalfEven((1 - t) * last),
      levels: Array.from(sigmas, (sigma) => ({ alpha: 1, sigma })),
    },
  };
}
