// Imagen's process in continuous time: Saharia et al. 2022, by a schedule of log SNRs (Kingma et al. 2021). t in [0, 1].

import { invariant } from "../../invariant.ts";
import { exactExp } from "../../rng/exact-math.ts";
import { LOG_SNR } from "../log-snr.ts";
import { levelSteps } from "../process.ts";
import type { ProcessKind } from "./process.ts";

/** Beyond this log(alpha / sigma) there is only noise, and sampling begins at it: as ddpm's cosine schedule is cut. */
const LEAST_LOG_RATIO = -5.1;

/** How much larger a network's time input is than t. */
const LABEL_SCALE = 1000;

export const imagen: ProcessKind = {
  about: "Saharia et al. 2022, continuous time by the log SNR of a schedule",
  create({ schedule }) {
    invariant(schedule === "linear" || schedule === "cosine", `${schedule} has a log SNR`);
    const { level, timeOf } = LOG_SNR[schedule];
    const span = { min: 0, max: Math.min(1, timeOf(exactExp(-LEAST_LOG_RATIO))) };
    const label = (t: number): number => LABEL_SCALE * t;
    return {
      span,
      level,
      timeOf: (ratio) => Math.max(span.min, Math.min(1, timeOf(ratio))),
      label,
      draw: (draws, n) => draws.uniforms(n),
      steps: (n) =>
        levelSteps(
          Array.from({ length: n }, (_, i) => (span.max * (i + 1)) / n),
          level,
          label,
        ),
    };
  },
};
