// Every decision about members and work with its reason: logged, published, and the newest kept for whoever asks why.

import type { Decision } from "../../shared/control/verbs.ts";
import type { Logger } from "../../shared/log.ts";

export interface DecisionLog {
  note(decision: string, subject: string, reason: string): void;
  readonly newest: readonly Decision[];
}

const KEPT = 100;

export function createDecisionLog(log: Pick<Logger, "info">, epochMs: () => number): DecisionLog {
  const newest: Decision[] = [];
  return {
    newest,
    note(decision, subject, reason) {
      log.info({ decision, subject, reason }, "decision");
      newest.push({ atMs: epochMs(), decision, subject, reason });
      if (newest.length > KEPT) newest.shift();
    },
  };
}
