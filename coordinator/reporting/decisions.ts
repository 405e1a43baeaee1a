// Every decision about members and work with its reason: logged, published, and the newest kept for whoever asks why.

import type { Logger } from "../../shared/log.ts";

export interface Decision {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** What was decided, one word: join, suspect, expel, lease, speculate, audit, pause, resume, scale, recover, ... */
  readonly decision: string;
  /** On whom or what. */
  readonly subject: string;
  readonly reason: string;
}

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
