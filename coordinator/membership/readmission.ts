// A worker that fails again and again before it has done any work is let in after growing pauses: pure.

export interface FailureHistory {
  /** When this worker failed without having done any work since it joined, oldest first. A graceful leave is no failure. */
  readonly failuresMs: readonly number[];
}

export interface ReadmissionPolicy {
  /** Failures that are forgotten after this long without another one. */
  readonly forgetMs: number;
  /** Pause after the second failure in a row; it doubles with each further one. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

export const READMISSION: ReadmissionPolicy = { forgetMs: 60_000, firstPauseMs: 1_000, longestPauseMs: 30_000 };

export type Readmission =
  | { readonly kind: "admit"; readonly reason: string }
  | { readonly kind: "wait"; readonly ms: number; readonly reason: string };

/** The first failure costs nothing: a machine may be taken away. Flapping does. */
export function decideReadmission(
  nowMs: number,
  { failuresMs }: FailureHistory,
  policy: ReadmissionPolicy,
): Readmission {
  const recent = failuresMs.filter((at) => nowMs - at < policy.forgetMs);
  if (recent.length < 2)
    return { kind: "admit", reason: recent.length === 0 ? "no recent failure" : "one recent failure" };
  const pause = Math.min(policy.firstPauseMs * 2 ** (recent.length - 2), policy.longestPauseMs);
  const ms = recent.at(-1)! + pause - nowMs;
  if (ms <= 0) return { kind: "admit", reason: `${recent.length} recent failures, its pause is over` };
  const reason = `it failed ${recent.length} times in ${policy.forgetMs / 1000} s; let in again in ${(ms / 1000).toFixed(1)} s`;
  return { kind: "wait", ms, reason };
}
