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
/** From one size to the next in search of the efficient one: what much smaller steps change drowns in noise. */
const STRIDE = 1.5;
/** Fewer are asked for after that has been right for so long. */
const FEWER_AFTER_MS = 300_000;

/** @param nowMs milliseconds since the epoch. */
export function decideDesiredWorkers(nowMs: number, state: WishState, policy: WishPolicy): WishDecision {
  const { measured, stepsLeft, phase } = state;
  const sizes = usefulSizes(policy);
  const workers = Math.min(Math.max(state.workers, sizes[0]!), sizes.at(-1)!);
  const decided = (to: number, fewer: WishState["fewer"], leastSeconds: number | null, reason: string) => {
    const kind = to > state.workers ? "more" : to < state.workers ? "fewer" : "hold";
    return { kind, workers: to, fewer, leastSeconds, reason } as const;
  };
  if (measured.size === 0) return decided(workers, state.fewer, null, "no number of workers was measured yet");

  const seconds = predictor(measured, policy.microBatches);
  const reach = affordable(sizes, seconds, policy.minEfficiency);
  const leastSeconds = stepsLeft * Math.min(...reach.map(seconds));
  if (phase !== "Training")
    return decided(workers, state.fewer, leastSeconds, `it stays as it is while the job is ${phase}`);

  const { least, most, why } =
    policy.deadlineMs === null
      ? byEfficiency(sizes, seconds, { ...policy, workers, isMeasured: measured.has(workers) })
      : byDeadline(reach, seconds, stepsLeft, (policy.deadlineMs - nowMs) / 1000);
  if (workers < least) return decided(least, null, leastSeconds, why);
  if (workers <= most) return decided(workers, null, leastSeconds, why);

  // The most that would have done since fewer would do; of what was so before the job was edited, the next size that it has now.
  const { sinceMs, workers: before } = state.fewer ?? { sinceMs: nowMs, workers: 0 };
  const enough = sizes.find((n) => n >= Math.max(before, most)) ?? workers;
  const fewer = { sinceMs, workers: Math.min(workers, enough) };
  if (nowMs - sinceMs >= FEWER_AFTER_MS) return decided(fewer.workers, null, leastSeconds, why);
  return decided(workers, fewer, leastSeconds, `${why}; fewer only once that lasts`);
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

/** The largest size up to which workers are worth it: one such size further at a time, and only from a measured one. */
function byEfficiency(sizes: readonly number[], seconds: Seconds, { minEfficiency, workers, isMeasured }: Climb): Band {
  const asked = minEfficiency ?? 0;
  const most = worthIt(sizes, seconds, asked - BORNE).at(-1)!;
  const worth = worthIt(sizes, seconds, asked);
  const goal = worth.at(-1)!;
  const next = worth.find((n) => n > workers);
  if (next === undefined)
    return { least: goal, most, why: `beyond ${goal} workers each adds less than ${asked} of the mean one` };
  if (!isMeasured)
    return { least: workers, most: Math.max(most, workers), why: `${workers} workers are not measured yet` };
  return {
    least: next,
    most: Math.max(most, next),
    why: `${next} workers are worth it, as far as ${workers} can tell`,
  };
}

/** Sizes up to the last that `minEfficiency` bears; a deadline does not go beyond them. */
function affordable(sizes: readonly number[], seconds: Seconds, minEfficiency: number | null): readonly number[] {
  if (minEfficiency === null) return sizes;
  const last = worthIt(sizes, seconds, minEfficiency - BORNE).at(-1)!;
  return sizes.filter((n) => n <= last);
}

/**
 * Ascending, the smallest first whatever it gives: each adds enough to the one before it. One between two of them may not:
 * shares of a step are whole micro-batches, and its workers may all wait for one.
 */
function worthIt(sizes: readonly number[], seconds: Seconds, efficiency: number): readonly number[] {
  const [first, ...rest] = strides(sizes);
  const worth = [first!];
  for (const next of rest) if (gain(seconds, worth.at(-1)!, next) >= efficiency) worth.push(next);
  return worth;
}

/** Of the sizes, those that are far enough apart for a difference to be seen. */
function strides(sizes: readonly number[]): number[] {
  const kept = [sizes[0]!];
  for (let next = sizes[1]; next !== undefined; ) {
    const last = kept.at(-1)!;
    kept.push(sizes.findLast((n) => n > last && n <= STRIDE * last) ?? next);
    next = sizes.find((n) => n > kept.at(-1)!);
  }
  return kept;
}

/** What each worker from `few` to `many` adds, of what one of the few gives. */
function gain(seconds: Seconds, few: number, many: number): number {
  return ((seconds(few) / seconds(many) - 1) * few) / (many - few);
}

const whole = (seconds: number): string => seconds.toFixed(0);
