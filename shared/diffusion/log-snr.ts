// Imagen's schedules: the noise at a time t from 0 to 1 by its log SNR, log(alpha^2 / sigma^2), of a process that keeps the
// variance (Saharia et al. 2022; Kingma et al. 2021), as imagen-pytorch has them. Host numbers, float64.

import { exactAtan, exactCos, exactExp, exactExpm1, exactLog1p, exactSin } from "../rng/exact-math.ts";
import type { Level } from "./parameterization.ts";

interface LogSnrSchedule {
  level(t: number): Level;
  /** The time whose sigma / alpha is this ratio; below 0 or above 1 where none has it. */
  timeOf(ratio: number): number;
}

/** u of log SNR = -log(expm1(u)), so that alpha^2 = exp(-u): at t = 0 sigma is 0.01. */
const LEAST = 1e-4;
const SLOPE = 10;

const linear: LogSnrSchedule = {
  level(t) {
    const u = LEAST + SLOPE * t * t;
    return { alpha: exactExp(-u / 2), sigma: Math.sqrt(-exactExpm1(-u)) };
  },
  timeOf(ratio) {
    const more = exactLog1p(ratio * ratio) - LEAST;
    return Math.sign(more) * Math.sqrt(Math.abs(more) / SLOPE);
  },
};

/** Nichol and Dhariwal 2021, Eq. 17, without its steps. */
const S = 0.008;

const cosine: LogSnrSchedule = {
  level(t) {
    const angle = (((t + S) / (1 + S)) * Math.PI) / 2;
    return { alpha: exactCos(angle), sigma: exactSin(angle) };
  },
  timeOf: (ratio) => (exactAtan(ratio) * 2 * (1 + S)) / Math.PI - S,
};

export const LOG_SNR = { linear, cosine } satisfies Record<string, LogSnrSchedule>;
