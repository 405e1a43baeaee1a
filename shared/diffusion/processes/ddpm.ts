// The discrete process of Ho et al. 2020 as one of continuous levels: time is the 0-based step, and between two steps log alpha
// is interpolated, as DPM-Solver does (Lu et al. 2022a, App. D.4).

import { exactExp, exactExpm1, exactLog, exactLog1p } from "../../rng/exact-math.ts";
import { createProcess } from "../process.ts";
import type { ProcessKind } from "./process.ts";

/** Beyond this log(alpha / sigma) there is only noise: Lu et al. 2022a cut the cosine schedule here. */
const LEAST_LOG_SNR = -5.1;

export const ddpm: ProcessKind = {
  about: "Ho et al. 2020, T steps of a schedule",
  create({ schedule, timesteps }) {
    const { T, alphasCumprod, sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = createProcess({ schedule, timesteps });
    const at = (i: number) => ({ alpha: sqrtAlphasCumprod[i]!, sigma: sqrtOneMinusAlphasCumprod[i]! });
    const logAlphas = alphasCumprod.map((alphaBar) => 0.5 * exactLog(alphaBar));
    const tooNoisy = alphasCumprod.findIndex((alphaBar) => exactLog(alphaBar / (1 - alphaBar)) < 2 * LEAST_LOG_SNR);
    return {
      span: { min: 0, max: tooNoisy === -1 ? T - 1 : tooNoisy - 1 },
      level(t) {
        const i = Math.floor(t);
        if (i === t) return at(t);
        const logAlpha = logAlphas[i]! + (t - i) * (logAlphas[i + 1]! - logAlphas[i]!);
        return { alpha: exactExp(logAlpha), sigma: Math.sqrt(-exactExpm1(2 * logAlpha)) };
      },
      timeOf(ratio) {
        const logAlpha = -0.5 * exactLog1p(ratio * ratio);
        if (logAlpha >= logAlphas[0]!) return 0;
        if (logAlpha <= logAlphas[T - 1]!) return T - 1;
        const next = logAlphas.findIndex((log) => log < logAlpha);
        return next - 1 + (logAlpha - logAlphas[next - 1]!) / (logAlphas[next]! - logAlphas[next - 1]!);
      },
      label: (t) => t,
      draw: (draws, n) => draws.integers(n, T),
      steps: (n) => createProcess({ schedule, timesteps, respacing: n === timesteps ? null : [n] }),
    };
  },
};
