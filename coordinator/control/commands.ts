// What `plume ctl` may ask of a run, carried out: each command is noted with its reason, or refused with a remedy.

import type { Bus } from "../../shared/bus/bus.ts";
import type { Phase } from "../../shared/bus/events.ts";
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
  /** Saves the newest step; `written` says whether the store has it now. */
  readonly checkpoint: () => Promise<{ readonly step: number; readonly written: boolean }>;
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
}

export function createCommands(options: CommandOptions): Commands {
  const { job, spec, hold, accounts, decisions, bus, supervisor } = options;
  const { min, max } = spec.workers;
  return {
    pause(reason) {
      if (!hold.pause(reason)) return false;
      accounts.setPaused(reason);
      decisions.note("pause", job, reason);
      return true;
    },

    resume(reason) {
      if (!hold.resume()) return false;
      accounts.setPaused(null);
      decisions.note("resume", job, reason);
      return true;
    },

    async checkpoint() {
      const { step, written } = await options.checkpoint();
      if (written) return step;
      throw new PlumeError("UNAVAILABLE", `the checkpoint of step ${step} could not be written`, {
        remedy: "see logs/coordinator.log in the run's folder; training goes on",
      });
    },

    scale(replicas) {
      const before = accounts.desired;
      // What the run says follows at its next step, after a pause as after a resume.
      const said = options.phase();
      const phase = hold.paused !== null ? "Paused" : said === "Paused" ? "Training" : said;
      const decision = decideScale(replicas, { phase, desired: before, min, max, supervised: supervisor !== null });
      if (decision.kind === "refuse")
        throw new PlumeError("FAILED_PRECONDITION", decision.reason, { remedy: decision.remedy });
      if (decision.kind === "unchanged") return before;
      accounts.setDesired(replicas);
      decisions.note("scale", job, decision.reason);
      bus.publish({ kind: "scale", before, replicas });
      supervisor?.scale(replicas);
      return before;
    },
  };
}
