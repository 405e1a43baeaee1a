// dx/dt = f(x, t) with steps as long as the tolerances allow: Dormand and Prince 1980, the fifth order carried on; steps are
// controlled as in Hairer, Norsett and Wanner 1993, II.4. One read of a number a step.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../../errors.ts";
import { exactPow } from "../../rng/exact-math.ts";
import type { Moments } from "../sampler.ts";

type T = tf.Tensor;
export type Field = (x: T, t: number) => T;

export interface Tolerances {
  readonly rtol?: number;
  readonly atol?: number;
}

const C = [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1];
const A = [
  [],
  [1 / 5],
  [3 / 40, 9 / 40],
  [44 / 45, -56 / 15, 32 / 9],
  [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
  [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
];
const B = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84];
/** Fifth order less fourth. */
const E = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40];

const SAFETY = 0.9;
const [SHRINK, GROW] = [0.2, 10];
/** Below this share of the way, float32 no longer tells a step from none. */
const LEAST_STEP = 1e-9;

/** @throws PlumeError NUMERICS when no step is short enough. */
export function* rk45(
  f: Field,
  x: T,
  from: number,
  to: number,
  { rtol = 1e-5, atol = 1e-5 }: Tolerances = {},
): Moments {
  const way = to - from;
  const norm = (v: T, at: T): T => tf.sqrt(tf.mean(tf.square(tf.div(v, tf.add(tf.mul(tf.abs(at), rtol), atol)))));
  let slope = f(x, from);
  const read = tf.stack([norm(x, x), norm(slope, x)]);
  const [size, speed] = yield { x, kept: [slope], read, progress: 0 };
  let share = Math.min(1, (0.01 * size!) / (speed! * Math.abs(way)) || 1);
  for (let done = 0, rejected = false; done < 1; ) {
    const next = Math.min(1, done + share);
    const h = (next - done) * way;
    const step = tried(f, x, slope, from + done * way, h);
    const error = norm(tf.mul(step.error, h), tf.maximum(tf.abs(x), tf.abs(step.x)));
    const [ratio] = yield { x, kept: [slope, step.x, step.slope], read: error, progress: done };
    const fits = ratio! < 1;
    if (fits) [x, slope, done] = [step.x, step.slope, next];
    share *= factor(ratio!, rejected || !fits);
    rejected = !fits;
    if (share < LEAST_STEP) throw tooShort(from + done * way, ratio!);
  }
  yield { x, progress: 1 };
}

/** How much longer the next step may be; one after a rejection does not grow. */
function factor(ratio: number, cautious: boolean): number {
  if (!Number.isFinite(ratio)) return SHRINK;
  const wanted = ratio === 0 ? GROW : SAFETY * exactPow(ratio, -1 / 5);
  return Math.max(SHRINK, Math.min(cautious ? 1 : GROW, wanted));
}

function tried(f: Field, x: T, slope: T, t: number, h: number) {
  const slopes = [slope];
  for (let i = 1; i < C.length; i++) slopes.push(f(tf.add(x, tf.mul(combined(slopes, A[i]!), h)), t + C[i]! * h));
  const end = tf.add(x, tf.mul(combined(slopes, B), h));
  slopes.push(f(end, t + h));
  return { x: end, slope: slopes[6]!, error: combined(slopes, E) };
}

const combined = (slopes: readonly T[], weights: readonly number[]): T =>
  weights.flatMap((w, i) => (w === 0 ? [] : [tf.mul(slopes[i]!, w)])).reduce((sum, term) => tf.add(sum, term));

const tooShort = (t: number, ratio: number): PlumeError =>
  new PlumeError(
    "NUMERICS",
    `no step of the probability flow at t = ${t} is within its tolerance: its error is ${ratio} of it`,
    {
      remedy: "the weights may have diverged: look at the loss, or sample with pc",
    },
  );
