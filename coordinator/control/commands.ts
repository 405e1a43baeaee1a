// What `plume ctl` may ask of a run, carried out: each command is noted with its reason, or refused with a remedy.

import type { Bus } from "../../shared/bus/bus.ts";
import { isOver, type Phase } from "../../shared/bus/events.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { Accounts } from "../accounting/accounts.ts";
import type { DecisionLog } from "../reporting/decisions.ts";
import type { Hold } from "./hold.ts";
import { decideScale } from "./scale.ts";

export interface CommandOptions {
  readonly job: string;
  readonly spec: JobSpec;
  readonly hold: Hold;
  readonly accounts: Accounts;
  readonly decisions: DecisionLog;
  readonly bus: Bus;
  readonly phase: () => Phase;
  /** Who starts and stops worker processes; null when nobody does. */
  readonly supervisor: { scale(replicas: number): void } | null;
  /** Saves the newest step; `written` says whether the store has it now, `reason` why not. */
  readonly checkpoint: () => Promise<{
    readonly step: number;
    readonly written: boolean;
    readonly reason: string | null;
  }>;
}

export interface Commands {
  /** @returns false when it was paused already. */
  pause(reason: string): boolean;
  /** @returns false when it was not paused. */
  resume(reason: string): boolean;
  /** @returns the step whose checkpoint is written now. @throws PlumeError UNAVAILABLE */
  checkpoint(): Promise<number>;
  /** @returns how many workers were asked for before. @throws PlumeError FAILED_PRECONDITION */
  scale(replicas: number): number;
  /** So many were asked for elsewhere: a fact, not a question. */
  adopt(replicas: number, reason: string): void;
}

export function createCommands(options: CommandOptions): Commands {
  const { job, spec, hold, accounts, decisions, bus, supervisor } = options;
  const { min, max, perPod } = spec.workers;
  const noteDesired = (replicas: number, reason: string) => {
    const before = accounts.desired;
    accounts.setDesired(replicas);
    decisions.note("scale", job, reason);
    bus.publish({ kind: "scale", before, replicas });
  };
  return {
    pause(reason) {
      refuseWhenOver(options.phase());
      if (!hold.pause(reason)) return false;
      accounts.setPaused(reason);
      decisions.note("pause", job, reason);
      return true;
    },

    resume(reason) {
      refuseWhenOver(options.phase());
      if (!hold.resume()) return false;
      accounts.setPaused(null);
      decisions.note("resume", job, reason);
      return true;
    },

    async checkpoint() {
      const { step, written, reason } = await options.checkpoint();
      if (written) return step;
      throw new PlumeError("UNAVAILABLE", `the checkpoint could not be written: ${reason ?? `step ${step}`}`, {
        remedy: "see logs/coordinator.log in the run's folder; training goes on",
      });
    },

    scale(replicas) {
      const before = accounts.desired;
      // What the run says follows at its next step, after a pause as after a resume.
      const said = options.phase();
      const phase = hold.paused !== null ? "Paused" : said === "Paused" ? "Training" : said;
      const supervised = supervisor !== null;
      const decision = decideScale(replicas, { phase, desired: before, min, max, perPod, supervised });
      if (decision.kind === "refuse")
        throw new PlumeError("FAILED_PRECONDITION", decision.reason, { remedy: decision.remedy });
      if (decision.kind === "unchanged") return before;
      noteDesired(replicas, decision.reason);
      supervisor?.scale(replicas);
      return before;
    },

    adopt(replicas, reason) {
      if (replicas !== accounts.desired) noteDesired(replicas, reason);
    },
  };
}

/** Only a process that lingers is asked so late. */
function refuseWhenOver(phase: Phase): void {
  if (isOver(phase))
    throw new PlumeError("FAILED_PRECONDITION", `the run is over (${phase})`, { remedy: "start it again: it resumes" });
}
