// How often one operator asks and writes, by how many jobs it has: what all of them cost together is bounded, and what a person
// waits for grows with their number. Pure.

import type { OperatorOptions } from "./observed.ts";

/** Of all jobs together: questions to coordinators a second, and statuses in which only numbers change. */
const MOST_A_SECOND = 20;

export function pacedFor(jobs: number, options: OperatorOptions): OperatorOptions {
  const leastMs = (jobs / MOST_A_SECOND) * 1000;
  return {
    ...options,
    pollMs: Math.max(options.pollMs, leastMs),
    statusEveryMs: Math.max(options.statusEveryMs, leastMs),
  };
}
