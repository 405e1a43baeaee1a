// The variance-exploding SDE: Song et al. 2021, Eq. 9 and App. C. t in (0, 1], sigma(t) = sigmaMin (sigmaMax / sigmaMin)^t.

import { exactExp, exactLog } from "../../rng/exact-math.ts";
import { type ProcessKind, sigmaRange } from "./process.ts";

/** Least time of training and of sampling: score_sde. */
const EPS = 1e-5;

export const ve: ProcessKind = {
  about: "Song et al. 2021, variance-exploding SDE",
  create(options) {
    const { min, max } = sigmaRange(options);
    const log = exactLog(max / min);
    const sigma = (t: number): number => min * exactExp(t * log);
    return {
      span: { min: EPS, max: 1 },
      level: (t) => ({ alpha: 1, sigma: sigma(t) }),
      timeOf: (ratio) => Math.max(0, Math.min(1, exactLog(ratio / min) / log)),
      label: sigma,
      draw: (draws, n) => draws.uniforms(n).map((u) => EPS + u * (1 - EPS)),
      sde: { drift: () => 0, diffusion: (t) => sigma(t) * Math.sqrt(2 * log) },
    };
  },
};
