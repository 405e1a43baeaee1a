// The discrete process of Ho et al. 2020 as one of continuous levels: time is the 0-based step, and between two steps the
// logarithm of sigma / alpha is interpolated, as k-diffusion's discrete schedules do.

import { exactExp, exactLog } from "../../rng/exact-math.ts";
import { createProcess } from "../process.ts";
import { type ProcessKind, ratioOf } from "./process.ts";

/** Beyond this log(alpha / sigma) there is only noise: Lu et al. 2022 cut the cosine schedule here. */
const LEAST_LOG_SNR = -5.1;

export const ddpm: ProcessKind = {
  about: "Ho et al. 2020, T steps of a schedule",
  create({ schedule, timesteps }) {
    const { T, sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = createProcess({ schedule, timesteps });
    const at = (i: number) => ({ alpha: sqrtAlphasCumprod[i]!, sigma: sqrtOneMinusAlphasCumprod[i]! });
    const logs = Float64Array.from({ length: T }, (_, i) => exactLog(ratioOf(at(i))));
    const timeOfLog = (log: number): number => {
      if (log <= logs[0]!) return 0;
      if (log >= logs[T - 1]!) return T - 1;
      const next = logs.findIndex((l) => l > log);
      return next - 1 + (log - logs[next - 1]!) / (logs[next]! - logs[next - 1]!);
    };
    return {
      span: { min: 0, max: timeOfLog(-LEAST_LOG_SNR) },
      level(t) {
        const i = Math.floor(t);
        if (i === t) return at(t);
        const ratio = exactExp(logs[i]! + (t - i) * (logs[i + 1]! - logs[i]!));
        const norm = Math.sqrt(1 + ratio * ratio);
        return { alpha: 1 / norm, sigma: ratio / norm };
      },
      timeOf: (ratio) => timeOfLog(exactLog(ratio)),
      label: (t) => t,
      draw: (draws, n) => draws.integers(n, T),
    };
  },
};
