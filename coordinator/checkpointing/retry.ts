// A store's call that failed, made again: when, and for how long, is decided purely. All calls of one save share one
// pause, so that a store that is away is asked once at a time.

import { PlumeError } from "../../shared/errors.ts";

export interface RetryState {
  /** Since the first failure after the last success. */
  readonly failedForMs: number;
  /** Pauses since then. */
  readonly round: number;
  /** Failures for longer than this fail the save. */
  readonly patienceMs: number;
  /** Training, or another save, waits for this one. */
  readonly pressed: boolean;
}

export type RetryDecision =
  | { readonly kind: "again"; readonly afterMs: number }
  | { readonly kind: "give-up"; readonly reason: string };

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

export function decideRetry(error: unknown, { failedForMs, round, patienceMs, pressed }: RetryState): RetryDecision {
  if (error instanceof PlumeError && (error.code === "ALREADY_EXISTS" || error.code === "INVALID_ARGUMENT"))
    return { kind: "give-up", reason: "it would fail again" };
  if (pressed) return { kind: "give-up", reason: "it is waited for" };
  const left = patienceMs - failedForMs;
  if (left <= 0) return { kind: "give-up", reason: `it has failed for ${(failedForMs / 1000).toFixed(1)} s` };
  return { kind: "again", afterMs: Math.min(FIRST_PAUSE_MS * 2 ** round, LONGEST_PAUSE_MS, left) };
}

export interface Attempts {
  /** Makes a call until it succeeds, or is given up with its own error. */
  attempt<T>(call: () => Promise<T>): Promise<T>;
  /** The last call failed. */
  readonly failing: boolean;
}

export interface AttemptOptions {
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly patienceMs: () => number;
  readonly pressed: () => boolean;
  readonly giveUp: AbortSignal;
  readonly onRetry: (error: unknown, afterMs: number) => void;
}

export function createAttempts({ now, sleep, patienceMs, pressed, giveUp, onRetry }: AttemptOptions): Attempts {
  let failedSince: number | null = null;
  let round = 0;
  let pausing: Promise<void> | null = null;
  let lastError: unknown;

  const pause = async (): Promise<void> => {
    const failedForMs = now() - (failedSince ?? now());
    const decision = decideRetry(lastError, { failedForMs, round, patienceMs: patienceMs(), pressed: pressed() });
    if (decision.kind === "give-up") throw lastError;
    round++;
    onRetry(lastError, decision.afterMs);
    await sleep(decision.afterMs, giveUp);
  };

  return {
    get failing() {
      return failedSince !== null;
    },
    async attempt(call) {
      for (;;) {
        try {
          const result = await call();
          failedSince = null;
          round = 0;
          return result;
        } catch (error) {
          if (giveUp.aborted) throw lastError ?? error;
          lastError = error;
          failedSince ??= now();
        }
        const failure = lastError;
        pausing ??= pause().finally(() => {
          pausing = null;
        });
        await pausing.catch(() => {
          throw failure;
        });
      }
    },
  };
}
