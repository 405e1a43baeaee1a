// How long steps take, and where in them the time goes.

import type { StepSeconds } from "../../bus/events.ts";
import { counter, gauge, histogram, STEP_SECONDS } from "../metric.ts";
import { ofRun } from "./source.ts";

const STEP_PHASES = ["compute", "data", "pull", "handover", "reduce", "optimize", "publish"] as const;

export const speed = ofRun(
  {
    step: histogram(
      "plume_step_duration_seconds",
      "From the beginning of a step to its published parameters; waiting for workers is part of it.",
      STEP_SECONDS,
    ),
    phase: counter(
      "plume_step_phase_seconds_total",
      "Time of steps by part; the parts sum to the steps: compute, data (waiting for samples) and pull (parameters) of the slowest worker; handover: leases, results and sums; reduce: norm and digest; optimize; publish.",
      { phase: STEP_PHASES },
    ),
    imagesPerSecond: gauge(
      "plume_worker_samples_per_second",
      "Samples that a worker computes a second while it computes, averaged over its newest micro-batches.",
      { worker: null },
    ),
    straggler: gauge(
      "plume_straggler_ratio",
      "Seconds of a micro-batch on the slowest worker over those on the median one; 1 when all are alike.",
    ),
  },
  (m) => ({
    event(event) {
      if (event.kind !== "step") return;
      m.step.observe(event.seconds.total);
      const parts = partsOf(event.seconds);
      for (const phase of STEP_PHASES) m.phase.add(parts[phase], { phase });
    },
    scrape({ status }) {
      m.imagesPerSecond.clear();
      const measured = status.members.filter(({ imagesPerSecond }) => imagesPerSecond > 0);
      for (const { workerId, imagesPerSecond } of measured)
        m.imagesPerSecond.set(imagesPerSecond, { worker: workerId });
      m.straggler.set(stragglerRatio(measured.map(({ imagesPerSecond }) => imagesPerSecond)));
    },
  }),
);

/** What handing over took beside what workers say of themselves. */
function partsOf(seconds: StepSeconds): Record<(typeof STEP_PHASES)[number], number> {
  const { gather, compute, data, pull, reduce, optimize, publish } = seconds;
  const handover = Math.max(0, gather - compute - data - pull);
  return { compute, data, pull, handover, reduce, optimize, publish };
}

/** Median over slowest speed; null when nobody was measured. */
function stragglerRatio(speeds: readonly number[]): number | null {
  const ordered = [...speeds].sort((a, b) => a - b);
  const slowest = ordered[0];
  return slowest === undefined ? null : ordered[Math.floor(ordered.length / 2)]! / slowest;
}
