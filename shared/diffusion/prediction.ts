// What a network may predict, and the conversions between predictions at one noise level (a = sqrt(abar_t),
// s = sqrt(1 - abar_t), x_t = a x_0 + s eps): v = a eps - s x_0 (Salimans and Ho 2022, App. D).
// Tensors are float32 [B, H, W, C]; a step is one number for all samples, or one a sample.

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../rng/exact-math.ts";
import { PARAMETERIZATIONS } from "./parameterization.ts";
import type { Coefficients } from "./process.ts";

type T = tf.Tensor;

export type PredictionType = "eps" | "x0" | "v" | "x_prev";
/** "learned" is the log variance itself, "learned-range" iDDPM's interpolation. */
export type VarianceType = "fixed-small" | "fixed-large" | "learned" | "learned-range";

/** A coefficient at steps that are not known yet, as float32 [B, 1, 1, 1], or [] where all have one step: how a recorded computation brings them in. */
export type LookUp = (value: (step: number) => number) => T;

/** 0-based step of the process: the same for every sample, or [B]. */
export type Steps = number | ArrayLike<number> | LookUp;

/** Images at steps of the process: x_t of x_0, float32 [B, H, W, C]. */
export interface Noised {
  readonly x0: T;
  readonly x_t: T;
  readonly t: Steps;
}

/** How a network's output is read. */
export interface Reads {
  readonly predict: PredictionType;
  readonly variance: VarianceType;
}

/** What a network's output says about x_t. */
export interface Prediction {
  /** x_0, before any clipping. */
  readonly x0: T;
  /** The mean of the step back, where the network predicts it and it is not to be derived from x_0. */
  readonly mean?: T;
  /** The log variance of the step back, where the network learned it. */
  readonly logVariance?: T;
}

/** A coefficient at the steps: a number, or float32 [B, 1, 1, 1]. */
export function at(values: Float64Array | ((step: number) => number), t: Steps): number | T {
  const value = typeof values === "function" ? values : (step: number) => values[step]!;
  if (typeof t === "function") return t(value);
  return typeof t === "number" ? value(t) : tf.tensor4d(Float32Array.from(t, value), [t.length, 1, 1, 1]);
}

/** The same beside values of a sample: a number, or float32 [B]. */
export function perSample(values: Parameters<typeof at>[0], t: Steps): number | T {
  const value = at(values, t);
  return typeof value === "number" || value.rank === 0 ? value : tf.reshape(value, [-1]);
}

/** What lies so much further than the steps: the levels of a grid, say, as steps in their turn. */
export function through(values: (step: number) => number, t: Steps, further = 0): Steps {
  const value = (step: number) => values(step + further);
  if (typeof t === "function") return (f) => t((step) => f(value(step)));
  return typeof t === "number" ? value(t) : Float64Array.from(t, value);
}

/** u a + v b: what most formulas of a linear Gaussian process are. */
export const mix = (a: T, u: number | T, b: T, v: number | T): T => tf.add(tf.mul(a, u), tf.mul(b, v));

/** Reads a network's output; with a learned variance it has 2 C channels. */
export function interpret(c: Coefficients, { predict, variance }: Reads, x_t: T, t: Steps, output: T): Prediction {
  return readVariance(c, variance, t, output, (F) => ({
    x0: toX0(c, predict, x_t, t, F),
    ...(predict === "x_prev" ? { mean: F } : {}),
  }));
}

export const isLearned = (variance: VarianceType): boolean => variance.startsWith("learned");

/** @param output where the variance is learned, [..., 2 C]: what `read` reads, then the variance. */
export function readVariance(
  c: Coefficients,
  variance: VarianceType,
  t: Steps,
  output: T,
  read: (F: T) => Omit<Prediction, "logVariance">,
): Prediction {
  if (!isLearned(variance)) return read(output);
  const [F, learned] = tf.split(output, 2, output.rank - 1) as [T, T];
  return { ...read(F), logVariance: variance === "learned" ? learned : learnedRangeLogVariance(c, t, learned) };
}

/** x_0 from the network's output at step t. */
export function toX0(c: Coefficients, type: PredictionType, x_t: T, t: Steps, output: T): T {
  const { reading } = linearIn(c, type);
  return mix(
    x_t,
    at((i) => reading(i).skip, t),
    output,
    at((i) => reading(i).out, t),
  );
}

/** What a network that predicts `type` is trained to give for x_t = a x_0 + s eps. */
export function targetOf(c: Coefficients, type: PredictionType, x0: T, t: Steps, eps: T): T {
  const { target } = linearIn(c, type);
  return mix(
    x0,
    at((i) => target(i).x0, t),
    eps,
    at((i) => target(i).eps, t),
  );
}

/** A prediction by the steps of a discrete process: x_0 in x_t and the output, the output in x_0 and eps. */
function linearIn(c: Coefficients, type: PredictionType) {
  const level = (i: number) => ({ alpha: c.sqrtAlphasCumprod[i]!, sigma: c.sqrtOneMinusAlphasCumprod[i]! });
  if (type !== "x_prev") {
    const { reading, target } = PARAMETERIZATIONS[type];
    return { reading: (i: number) => reading(level(i)), target: (i: number) => target(level(i)) };
  }
  // The mean of the posterior, k1 x_0 + k2 x_t: Ho et al. 2020, Eq. 7.
  const { posteriorMeanCoef1: k1, posteriorMeanCoef2: k2 } = c;
  return {
    reading: (i: number) => ({ skip: -k2[i]! / k1[i]!, out: 1 / k1[i]! }),
    target: (i: number) => ({ x0: k1[i]! + k2[i]! * level(i).alpha, eps: k2[i]! * level(i).sigma }),
  };
}

/** eps from x_0. */
export function toEps(c: Coefficients, x_t: T, t: Steps, x0: T): T {
  return tf.div(tf.sub(tf.mul(x_t, at(c.sqrtRecipAlphasCumprod, t)), x0), at(c.sqrtRecipm1AlphasCumprod, t));
}

/** The learned range of iDDPM (Nichol and Dhariwal 2021, Eq. 15): v in [-1, 1] runs from log beta~_t to log beta_t. */
export function learnedRangeLogVariance(c: Coefficients, t: Steps, v: T): T {
  const min = at(c.posteriorLogVarianceClipped, t);
  const max = at((i) => exactLog(c.betas[i]!), t);
  const fraction = tf.mul(tf.add(v, 1), 0.5);
  return tf.add(tf.mul(fraction, max), tf.mul(tf.sub(1, fraction), min));
}
