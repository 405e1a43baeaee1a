// Karras et al. 2022: time is sigma itself, x = x_0 + sigma eps, and training draws ln sigma from a normal.

import { exactExp, exactLog } from "../../rng/exact-math.ts";
import { type ProcessKind, SIGMA_RANGES, sigmaRange } from "./process.ts";

export const edm: ProcessKind = {
  about: "Karras et al. 2022, sigma as the time",
  create({ pMean, pStd, ...options }) {
    const span = sigmaRange(SIGMA_RANGES.edm, options);
    return {
      span,
      level: (sigma) => ({ alpha: 1, sigma }),
      timeOf: (ratio) => ratio,
      // c_noise: Table 1.
      label: (sigma) => exactLog(sigma) / 4,
      draw: (draws, n) => Float64Array.from(draws.normals(n), (z) => exactExp(pMean + pStd * z)),
      // Its probability flow is dx = -sigma score d sigma: Eq. 3.
      flow: { drift: () => 0, diffusion: (sigma) => Math.sqrt(2 * sigma), prior: span.max },
    };
  },
};
