// What a step takes at each number of workers that the run has had.
//
// I1. A size that a worker has just joined or left is not measured yet: its first steps record, pull and wait.
// I2. A busy second does not count: what is kept of a size are medians of its newest steps.

import type { RunEvent } from "../../shared/bus/events.ts";
import { medianOf } from "../../shared/median.ts";

/** Medians, in seconds of a step. */
export interface StepTimes {
  readonly total: number;
  /** Of the slowest worker: what shrinks with its share. */
  readonly compute: number;
}

export interface Sizes {
  readonly observe: (event: RunEvent) => void;
  /** By the number of workers that a step had; only what is measured well enough to act on. */
  measured(): ReadonlyMap<number, StepTimes>;
}

/** Steps after a change of the members that do not count. */
const RUN_IN = 3;
/** Steps that make a measurement. */
const LEAST = 5;
/** Steps of a size that are kept, the newest. */
const KEPT = 128;

export function createSizes(): Sizes {
  const steps = new Map<number, StepTimes[]>();
  const medians = new Map<number, StepTimes>();
  const changed = new Set<number>();
  let runIn = RUN_IN;
  let before = 0;

  return {
    observe(event) {
      if (event.kind === "worker") runIn = RUN_IN;
      if (event.kind !== "step") return;
      if (event.workers !== before) runIn = RUN_IN;
      before = event.workers;
      if (runIn > 0) return void runIn--;
      const kept = steps.get(event.workers) ?? [];
      steps.set(event.workers, kept);
      kept.push({ total: event.seconds.total, compute: event.seconds.compute });
      if (kept.length > KEPT) kept.shift();
      changed.add(event.workers);
    },

    measured() {
      for (const workers of changed) {
        const kept = steps.get(workers)!;
        if (kept.length >= LEAST) medians.set(workers, typical(kept));
      }
      changed.clear();
      return medians;
    },
  };
}

const typical = (kept: readonly StepTimes[]): StepTimes => ({
  total: medianOf(kept.map(({ total }) => total))!,
  compute: medianOf(kept.map(({ compute }) => compute))!,
});
