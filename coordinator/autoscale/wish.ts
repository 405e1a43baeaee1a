// The job's wish for workers, decided about once a second while somebody watches the run's events: the shell around decide.ts.

import type { RunEvent, RunStatus, Wish } from "../../shared/bus/events.ts";
import { type JobSpec, microBatchesPerStep } from "../../shared/config/schema.ts";
import { decideDesiredWorkers, type WishPolicy, type WishState } from "./decide.ts";
import { createSizes } from "./sizes.ts";

export interface WishOptions {
  readonly spec: JobSpec;
  /** Workers asked for at the beginning. */
  readonly desired: number;
  /** Milliseconds since the epoch: a deadline is a time of day. */
  readonly epochMs: () => number;
  /** It has changed. */
  readonly onChange: (wish: Wish) => void;
}

export interface Wishing {
  readonly observe: (event: RunEvent) => void;
  /** Undefined where the job has none: then it wants what was asked for. */
  readonly wish: () => Wish | undefined;
}

const EVERY_MS = 1_000;

export function createWish({ spec, desired, epochMs, onChange }: WishOptions): Wishing {
  const policy = policyOf(spec);
  if (!policy) return { observe() {}, wish: () => undefined };
  const sizes = createSizes();
  let decidedMs = Number.NEGATIVE_INFINITY;
  let state: Pick<WishState, "workers" | "fewer"> = { workers: desired, fewer: null };
  let wish: Wish | undefined;

  const decide = ({ phase, step, steps }: RunStatus) => {
    const nowMs = epochMs();
    if (nowMs >= decidedMs && nowMs - decidedMs < EVERY_MS) return;
    decidedMs = nowMs;
    const seen = { ...state, phase, stepsLeft: steps - step, measured: sizes.measured() };
    const { workers, fewer, leastSeconds, reason } = decideDesiredWorkers(nowMs, seen, policy);
    const isNews = workers !== state.workers;
    state = { workers, fewer };
    wish = { workers, leastSeconds, reason };
    if (isNews) onChange(wish);
  };

  return {
    observe(event) {
      sizes.observe(event);
      if (event.kind === "status") decide(event.status);
    },
    wish: () => wish,
  };
}

function policyOf(spec: JobSpec): WishPolicy | null {
  const { min, max, perPod, autoscale } = spec.workers;
  const { deadline, minEfficiency } = autoscale;
  if (deadline === undefined && minEfficiency === undefined) return null;
  return {
    min,
    max,
    perPod,
    microBatches: microBatchesPerStep(spec),
    deadlineMs: deadline === undefined ? null : Date.parse(deadline),
    minEfficiency: minEfficiency ?? null,
  };
}
