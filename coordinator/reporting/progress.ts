// How far the run is: phase with its reason, smoothed throughput, time left. Fed by the run's own events.

import type { Listener } from "../../shared/bus/bus.ts";
import type { Phase, RunStatus } from "../../shared/bus/events.ts";
import type { JobSpec } from "../../shared/config/schema.ts";

export interface Progress {
  readonly observe: Listener;
  /** @returns false when phase and reason are what they were. */
  setPhase(phase: Phase, reason: string): boolean;
  view(): Pick<RunStatus, "phase" | "reason" | "step" | "steps" | "loss" | "imagesPerSecond" | "etaSeconds">;
  readonly samplesPerSecond: number;
}

/** Steps over which the shown throughput is averaged. */
const WINDOW = 20;

export function createProgress(spec: JobSpec, firstStep: number, now: () => number): Progress {
  let phase: Phase = "Starting";
  let reason = "waiting for workers";
  let step = firstStep;
  let loss = Number.NaN;
  const commits: number[] = [];
  let trainingSeconds = 0;

  const imagesPerSecond = () => {
    if (commits.length < 2) return 0;
    return (spec.training.globalBatch * (commits.length - 1) * 1000) / (commits.at(-1)! - commits[0]!);
  };

  return {
    observe(event) {
      if (event.kind === "step") {
        step = event.step + 1;
        loss = event.loss;
        trainingSeconds += event.seconds.total;
        commits.push(now());
        if (commits.length > WINDOW) commits.shift();
      } else if (event.kind === "sample" || event.kind === "worker") commits.length = 0;
    },
    setPhase(next, why) {
      if (next === phase && why === reason) return false;
      phase = next;
      reason = why;
      return true;
    },
    view: () => {
      const rate = imagesPerSecond();
      const { steps, globalBatch } = spec.training;
      return {
        phase,
        reason,
        step,
        steps,
        loss,
        imagesPerSecond: rate,
        etaSeconds: rate > 0 ? ((steps - step) * globalBatch) / rate : 0,
      };
    },
    get samplesPerSecond() {
      return trainingSeconds > 0 ? ((step - firstStep) * spec.training.globalBatch) / trainingSeconds : 0;
    },
  };
}
