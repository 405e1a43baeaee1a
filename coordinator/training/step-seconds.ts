// What a step took, by part: the coordinator's own marks, and what its slowest worker says.

import type { StepSeconds } from "../../shared/bus/events.ts";
import type { Result } from "../aggregation/round.ts";
import type { AppliedStep } from "./apply.ts";

/** Milliseconds of the run's clock. */
export interface StepMarks {
  readonly started: number;
  readonly gathered: number;
  readonly committed: number;
  readonly published: number;
}

export function stepSeconds({ results, seconds }: AppliedStep, marks: StepMarks): StepSeconds {
  const { started, gathered, committed, published } = marks;
  const gather = (gathered - started) / 1000;
  const compute = slowest(results, "compute");
  return {
    total: (published - started) / 1000,
    gather,
    compute,
    handover: Math.max(0, gather - compute),
    pull: slowest(results, "pull"),
    data: slowest(results, "data"),
    reduce: seconds.reduce,
    optimize: seconds.optimize,
    publish: (published - committed) / 1000,
  };
}

export const workersOf = (results: readonly Result[]): number => new Set(results.map(({ worker }) => worker)).size;

/** Seconds of a part on the worker where all its blocks took longest. */
function slowest(results: readonly Result[], part: string): number {
  const sums = new Map<string, number>();
  for (const { worker, seconds } of results) sums.set(worker, (sums.get(worker) ?? 0) + (seconds[part] ?? 0));
  return Math.max(0, ...sums.values());
}
