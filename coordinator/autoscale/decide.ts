// How many workers would the job like to have? Pure: from what was measured, what is left and what the job asks for, to
// a number with its reason.
//
// I1. The number is one of the useful sizes' range, whatever was measured.
// I2. Between "too few" and "more than enough" lies a band: a wish within it stays. What noise does to a measurement is
//     smaller than the band.
// I3. With everything else the same, an earlier deadline never gives fewer workers.

import type { Phase } from "../../shared/bus/events.ts";
import { predictor, type SizeBounds, usefulSizes } from "./predict.ts";
import type { StepTimes } from "./sizes.ts";

export interface WishPolicy extends SizeBounds {
  /** Milliseconds since the epoch by which the last step should be done; null for whenever. */
  readonly deadlineMs: number | null;
  /** Share of the mean worker's throughput that one more must add; null for any. */
  readonly minEfficiency: number | null;
}

export interface WishState {
  readonly phase: Phase;
  /** The newest wish. */
  readonly workers: number;
  /** Since when fewer would do, and the most that would have done since; null when they would not. */
  readonly fewer: { readonly sinceMs: number; readonly workers: number } | null;
  readonly stepsLeft: number;
  readonly measured: ReadonlyMap<number, StepTimes>;
}

export interface WishDecision {
  readonly kind: "more" | "fewer" | "hold";
  readonly workers: number;
  readonly fewer: WishState["fewer"];
  /** Seconds until the last step at the best of the sizes that may be asked for; null while that is unknown. */
  readonly leastSeconds: number | null;
  readonly reason: string;
}

/** A deadline is planned for with a tenth of the time to spare: for pictures, saves, and workers that come and go. */
const PLANNED = 0.9;
/** Only where a quarter would be spared fewer workers will do. */
const SPARED = 0.75;
/** An efficiency so much below the asked one is still borne. */
const BORNE = 0.1;
/** From one size to the next in search of the efficient one: smaller steps than this drown in noise. */
const STRIDE = 1.25;
/** Fewer are asked for after that has been right for so long. */
const FEWER_AFTER_MS = 300_000;

/** @param nowMs milliseconds since the epoch. */
export function decideDesiredWorkers(nowMs: number, state: WishState, policy: WishPolicy): WishDecision {
  const sizes = usefulSizes(policy);
  const workers = Math.min(Math.max(state.workers, sizes[0]!), sizes.at(-1)!);
  if (state.measured.size === 0) return bounded(state, workers, null, "no number of workers was measured yet");

  const seconds = predictor(state.measured, policy.microBatches);
  const reach = affordable(sizes, seconds, policy.minEfficiency);
  const leastSeconds = state.stepsLeft * Math.min(...reach.map(seconds));
  if (state.phase !== "Training") return bounded(state, workers, leastSeconds, `it stays as it is while ${state.phase}`);

  const { least, most, why } =
    policy.deadlineMs === null
      ? byEfficiency(sizes, seconds, { ...policy, workers, isMeasured: state.measured.has(workers) })
      : byDeadline(reach, seconds, state.stepsLeft, (policy.deadlineMs - nowMs) / 1000);
  if (workers < least) return { kind: "more", workers: least, fewer: null, leastSeconds, reason: why };
  if (workers <= most) return bounded({ ...state, fewer: null }, workers, leastSeconds, why);

  const fewer = {
    sinceMs: state.fewer?.sinceMs ?? nowMs,
    workers: Math.min(workers, Math.max(state.fewer?.workers ?? 0, most)),
  };
  if (nowMs - fewer.sinceMs < FEWER_AFTER_MS)
    return { ...bounded(state, workers, leastSeconds, `${why}; fewer only once that lasts`), fewer };
  return { kind: fewer.workers < workers ? "fewer" : "hold", workers: fewer.workers, fewer: null, leastSeconds, reason: why };
}

/** The wish as it was, but for bounds that it lies outside of. */
function bounded(state: WishState, workers: number, leastSeconds: number | null, reason: string): WishDecision {
  const kind = workers > state.workers ? "more" : workers < state.workers ? "fewer" : "hold";
  return { kind, workers, fewer: state.fewer, leastSeconds, reason };
}

/** Any wish from `least` to `most` stays. */
interface Band {
  readonly least: number;
  readonly most: number;
  readonly why: string;
}

type Seconds = (workers: number) => number;

/** The smallest size that is done in time, with something to spare. */
function byDeadline(sizes: readonly number[], seconds: Seconds, stepsLeft: number, secondsLeft: number): Band {
  const fastest = sizes.reduce((best, n) => (seconds(n) < seconds(best) ? n : best));
  const within = (share: number) => sizes.find((n) => stepsLeft * seconds(n) <= share * secondsLeft) ?? fastest;
  const [least, most] = [within(PLANNED), within(SPARED)];
  const needs = (n: number) => `${n} workers need ${whole(stepsLeft * seconds(n))} s for ${stepsLeft} steps`;
  const late = stepsLeft * seconds(fastest) > secondsLeft ? ", and no number of workers is faster" : "";
  return { least, most, why: `${needs(least)}, the deadline is in ${whole(secondsLeft)} s${late}` };
}

interface Climb {
  readonly minEfficiency: number | null;
  readonly workers: number;
  readonly isMeasured: boolean;
}

/** The largest size up to which every worker is worth it: one size further at a time, and only from a measured one. */
function byEfficiency(sizes: readonly number[], seconds: Seconds, { minEfficiency, workers, isMeasured }: Climb): Band {
  const asked = minEfficiency ?? 0;
  const most = lastWorthIt(sizes, seconds, asked - BORNE);
  const goal = lastWorthIt(sizes, seconds, asked);
  const why = `from ${goal} workers on one more gives less than ${asked} of what they give on the mean`;
  if (goal <= workers) return { least: goal, most, why };
  const next = strides(sizes).find((n) => n > workers) ?? workers;
  if (!isMeasured) return { least: workers, most: Math.max(most, workers), why: `${workers} workers are not measured yet` };
  return { least: next, most: Math.max(most, next), why: `more than ${workers} workers are worth it so far` };
}

/** Sizes up to the last that `minEfficiency` bears; a deadline does not go beyond them. */
function affordable(sizes: readonly number[], seconds: Seconds, minEfficiency: number | null): readonly number[] {
  if (minEfficiency === null) return sizes;
  const last = lastWorthIt(sizes, seconds, minEfficiency - BORNE);
  return sizes.filter((n) => n <= last);
}

function lastWorthIt(sizes: readonly number[], seconds: Seconds, efficiency: number): number {
  const [first, ...rest] = strides(sizes);
  let last = first!;
  for (const next of rest) {
    if (gain(seconds, last, next) < efficiency) break;
    last = next;
  }
  return last;
}

/** Of the sizes, those that are far enough apart for a difference to be seen. */
function strides(sizes: readonly number[]): number[] {
  return sizes.reduce<number[]>((kept, n) => (n >= STRIDE * (kept.at(-1) ?? 0) ? [...kept, n] : kept), []);
}

/** What each worker from `few` to `many` adds, of what one of the few gives. */
function gain(seconds: Seconds, few: number, many: number): number {
  return ((seconds(few) / seconds(many) - 1) * few) / (many - few);
}

const whole = (seconds: number): string => seconds.toFixed(0);
