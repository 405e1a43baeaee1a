// From a failure to the next committed step: which failures are open, how long the closed ones took. Pure state, time
// passed in.

import type { Recovery } from "../../shared/bus/events.ts";

export type Failure = Omit<Recovery, "step" | "seconds">;

export interface Recoveries {
  /** Something failed. `atMs` is milliseconds since the epoch. */
  begin(kind: Recovery["kind"], subject: string, reason: string, atMs: number): void;
  /** A step is committed that was not before: everything open is over. */
  committed(step: number, atMs: number): readonly Recovery[];
  /** Not over yet. */
  readonly open: readonly Failure[];
  readonly all: readonly Recovery[];
}

export function createRecoveries(before: readonly Recovery[] = [], open: readonly Failure[] = []): Recoveries {
  const all = [...before];
  let failures = [...open];
  return {
    all,
    get open() {
      return failures;
    },
    begin(kind, subject, reason, atMs) {
      failures.push({ kind, subject, reason, atMs });
    },
    committed(step, atMs) {
      const closed = failures.map((failure) => ({ ...failure, step, seconds: (atMs - failure.atMs) / 1000 }));
      failures = [];
      all.push(...closed);
      return closed;
    },
  };
}
