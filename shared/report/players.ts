// The steps of a run by whose they were, where two networks play against each other.

import type { StepLine } from "../bus/step-line.ts";
import { type Player, turnOf } from "../config/turns.ts";
import type { RunRecord } from "./read-run.ts";

export interface PlayerSteps {
  /** Absent where there is one network. */
  readonly player?: Player | undefined;
  readonly steps: readonly StepLine[];
}

/** In the order of their first turns; one where there is one network, or the job cannot be read. */
export function byPlayer({ job, steps }: Pick<RunRecord, "job" | "steps">): PlayerSteps[] {
  const playerOf = ({ step }: StepLine) => (job ? turnOf(job.spec, step).player : undefined);
  const players = [...new Set(steps.map(playerOf))];
  return players.map((player) => ({ player, steps: steps.filter((line) => playerOf(line) === player) }));
}
