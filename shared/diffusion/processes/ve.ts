// The variance-exploding SDE: Song et al. 2021, Eq. 9 and App. C. t in (0, 1], sigma(t) = sigmaMin (sigmaMax / sigmaMin)^t.

import { exactExp, exactLog } from "../../rng/exact-math.ts";
import type { ProcessKind } from "./process.ts";

/** Least time of training and of sampling: score_sde. */
const EPS = 1e-5;

export const ve: ProcessKind = {
  about: "Song et al. 2021, variance-exploding SDE",
  create({ sigmaMin = 0.01, sigmaMax = 50 }) {
    const log = exactLog(sigmaMax / sigmaMin);
    const sigma = (t: number): number => sigmaMin * exactExp(t * log);
    return {
      span: { min: EPS, max: 1 },
      level: (t) => ({ alpha: 1, sigma: sigma(t) }),
      timeOf: (ratio) => Math.max(0, Math.min(1, exactLog(ratio / sigmaMin) / log)),
      label: sigma,
      draw: (draws, n) => draws.uniforms(n).map((u) => EPS + u * (1 - EPS)),
      sde: { drift: () => 0, diffusion: (t) => sigma(t) * Math.sqrt(2 * log) },
    };
  },
};
