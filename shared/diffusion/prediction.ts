// What a network may predict, and the conversions between predictions at one noise level (a = sqrt(abar_t),
// s = sqrt(1 - abar_t), x_t = a x_0 + s eps): v = a eps - s x_0 (Salimans and Ho 2022, App. D).
// Tensors are float32 [B, H, W, C]; a step is one number for all samples, or one a sample.

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../rng/exact-math.ts";
import type { Coefficients } from "./process.ts";

type T = tf.Tensor;

export type PredictionType = "eps" | "x0" | "v" | "x_prev";
/** "learned" is the log variance itself, "learned-range" iDDPM's interpolation. */
export type VarianceType = "fixed-small" | "fixed-large" | "learned" | "learned-range";

/** A coefficient at steps that are not known yet, as float32 [B, 1, 1, 1], or [] where all have one step: how a recorded computation brings them in. */
export type LookUp = (value: (step: number) => number) => T;

/** 0-based step of the process: the same for every sample, or [B]. */
export type Steps = number | ArrayLike<number> | LookUp;

/** Images on their way through the process: x_t = a x_0 + s eps, all float32 [B, H, W, C]. */
export interface Noised {
  readonly x0: T;
  readonly eps: T;
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

/** What lies at the steps: the levels of a grid, say, as steps in their turn. */
export function through(values: ArrayLike<number>, t: Steps, further = 0): Steps {
  const value = (step: number) => values[step + further]!;
  if (typeof t === "function") return (f) => t((step) => f(value(step)));
  return typeof t === "number" ? value(t) : Float64Array.from(t, value);
}

/** Reads a network's output; with a learned variance it has 2 C channels, the prediction first. */
export function interpret(c: Coefficients, { predict, variance }: Reads, x_t: T, t: Steps, output: T): Prediction {
  const learned = variance === "learned" || variance === "learned-range";
  const [first, second] = learned ? tf.split(output, 2, output.rank - 1) : [output];
  return {
    x0: toX0(c, predict, x_t, t, first!),
    ...(predict === "x_prev" ? { mean: first! } : {}),
    ...(second ? { logVariance: variance === "learned" ? second : learnedRangeLogVariance(c, t, second) } : {}),
  };
}

/** x_0 from the network's output at step t. */
export function toX0(c: Coefficients, type: PredictionType, x_t: T, t: Steps, output: T): T {
  switch (type) {
    case "x0":
      return output;
    case "eps":
      return tf.sub(tf.mul(x_t, at(c.sqrtRecipAlphasCumprod, t)), tf.mul(output, at(c.sqrtRecipm1AlphasCumprod, t)));
    case "v":
      return tf.sub(tf.mul(x_t, at(c.sqrtAlphasCumprod, t)), tf.mul(output, at(c.sqrtOneMinusAlphasCumprod, t)));
    case "x_prev": {
      // The mean of the posterior, Ho et al. 2020, Eq. 7, solved for x_0.
      const { posteriorMeanCoef1: k1, posteriorMeanCoef2: k2 } = c;
      const own = tf.mul(
        output,
        at((i) => 1 / k1[i]!, t),
      );
      return tf.sub(
        own,
        tf.mul(
          x_t,
          at((i) => k2[i]! / k1[i]!, t),
        ),
      );
    }
  }
}

/** eps from x_0. */
export function toEps(c: Coefficients, x_t: T, t: Steps, x0: T): T {
  return tf.div(tf.sub(tf.mul(x_t, at(c.sqrtRecipAlphasCumprod, t)), x0), at(c.sqrtRecipm1AlphasCumprod, t));
}

/** What a network that predicts `type` is trained to give for x_t = a x_0 + s eps. */
export function targetOf(c: Coefficients, type: "eps" | "x0" | "v", x0: T, t: Steps, eps: T): T {
  if (type === "eps") return eps;
  if (type === "x0") return x0;
  return tf.sub(tf.mul(eps, at(c.sqrtAlphasCumprod, t)), tf.mul(x0, at(c.sqrtOneMinusAlphasCumprod, t)));
}

/** The learned range of iDDPM (Nichol and Dhariwal 2021, Eq. 15): v in [-1, 1] runs from log beta~_t to log beta_t. */
function learnedRangeLogVariance(c: Coefficients, t: Steps, v: T): T {
  const min = at(c.posteriorLogVarianceClipped, t);
  const max = at((i) => exactLog(c.betas[i]!), t);
  const fraction = tf.mul(tf.add(v, 1), 0.5);
  return tf.add(tf.mul(fraction, max), tf.mul(tf.sub(1, fraction), min));
}
