// Is a process that ended started again, and when? Pure.

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface ProcessHistory {
  /** Failures before this one without any work done in between. */
  readonly failuresInRow: number;
  /** It has done some work since it was started. */
  readonly productive: boolean;
}

export type RestartDecision =
  | { readonly kind: "restart"; readonly afterMs: number; readonly failuresInRow: number; readonly reason: string }
  | { readonly kind: "give-up"; readonly reason: string };

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** Exit codes of a process that was asked to leave, and did: 143 is SIGTERM's. */
const LEFT: readonly (number | null)[] = [0, 143];
/** Exit code of a process that may not come back as it is: another version, another job, wrong numbers. */
const UNFIT = 2;

export function decideRestart({ code, signal }: Exit, history: ProcessHistory, maxRestarts: number): RestartDecision {
  const why = signal ? `was killed (${signal})` : `ended with code ${code}`;
  if (LEFT.includes(code)) return { kind: "restart", afterMs: 0, failuresInRow: 0, reason: "left; it is still wanted" };
  if (code === UNFIT) return { kind: "give-up", reason: `${why}: it may not come back as it is` };
  const failuresInRow = history.productive ? 1 : history.failuresInRow + 1;
  if (failuresInRow > maxRestarts)
    return { kind: "give-up", reason: `${why}; ${failuresInRow} failures in a row without any work done` };
  // The first failure costs nothing: a process may be killed. A crash loop does.
  const afterMs = failuresInRow === 1 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (failuresInRow - 2), LONGEST_PAUSE_MS);
  const when = afterMs === 0 ? "at once" : `in ${afterMs / 1000} s`;
  return { kind: "restart", afterMs, failuresInRow, reason: `${why}; starting it again ${when}` };
}
