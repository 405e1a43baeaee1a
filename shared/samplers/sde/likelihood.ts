// Log-likelihoods of images under the probability flow: Song et al. 2021, Section 4.3 and Eq. 39.

import * as tf from "@tensorflow/tfjs-core";
import type { ContinuousNoise, Times } from "../../diffusion/processes/process.ts";
import { exactLog } from "../../rng/exact-math.ts";
import type { Score } from "../sampler.ts";
import { drive, type OnStep } from "../walk.ts";
import { reverseDrift } from "./reverse.ts";
import { type Field, rk45, type Tolerances } from "./rk45.ts";

/** A score and, of the same x_t, epsilon^T (d score / d x): float32 [B, H, W, C] both. Inside a tidy scope. */
export type ScoreWithSlope = (x_t: tf.Tensor, t: number) => { readonly score: tf.Tensor; readonly slope: tf.Tensor };

type T = tf.Tensor;

interface Likelihood {
  /** The noise that the images are made of: float32 [B, H, W, C], the caller's to dispose. */
  readonly z: T;
  /** log p_1(z), and what the flow's divergence adds to it: nats, float32 [B] each. Their sum is log p_0. */
  readonly priorLogDensity: Float32Array;
  readonly change: Float32Array;
}

/** Whose probability flow runs from the least time to the largest. */
interface Followed extends Pick<Times, "span"> {
  readonly sde: ContinuousNoise;
}

export interface LikelihoodOptions extends Tolerances {
  readonly onStep?: OnStep;
}

/** Of a score that is TensorFlow.js operations, not a recorded program. @param epsilon as `likelihood`'s. */
export const withSlope =
  (score: Score, epsilon: T): ScoreWithSlope =>
  (x_t, t) => {
    const { value, grad } = tf.valueAndGrad((x: T) => score(x, t))(x_t, epsilon);
    return { score: value, slope: grad };
  };

/**
 * @param score with its slope along epsilon. @param data float32 [B, H, W, C].
 * @param epsilon of data's shape, elements of mean 0 and variance 1, for Hutchinson's estimate of the divergence; exact where
 * the score's Jacobian is diagonal and they are -1 or 1. Both tensors stay the caller's.
 */
export async function likelihood(
  score: ScoreWithSlope,
  { sde, span }: Followed,
  data: T,
  epsilon: T,
  { onStep, ...tolerances }: LikelihoodOptions = {},
): Promise<Likelihood> {
  const start = tf.tidy(() => withColumn(data, tf.zeros([data.shape[0]!, 1])));
  const field = withDivergence(sde, score, epsilon);
  const end = await drive(rk45(field, start, span.min, span.max, tolerances), start, 1, onStep);
  const [z, change] = tf.tidy(() => split(end, data.shape));
  end.dispose();
  const prior = tf.tidy(() => priorLogDensity(sde, z));
  const [priorValues, changeValues] = await Promise.all([prior, change].map((tensor) => tensor.data<"float32">()));
  tf.dispose([prior, change]);
  return { z, priorLogDensity: priorValues!, change: changeValues! };
}

/** log p_1 of the prior N(0, prior^2 I), in nats. @param z float32 [B, H, W, C]. @returns float32 [B]. */
export function priorLogDensity({ prior }: ContinuousNoise, z: T): tf.Tensor1D {
  const D = z.size / z.shape[0]!;
  const squares = tf.sum(tf.square(rows(z)), 1);
  return tf.sub((-D / 2) * exactLog(2 * Math.PI * prior * prior), tf.div(squares, 2 * prior * prior));
}

/** The flow of x and, in a column beside it, of the estimate of div f: epsilon^T (df/dx) epsilon. [B, H W C + 1]. */
const withDivergence =
  (sde: ContinuousNoise, scoreAt: ScoreWithSlope, epsilon: T): Field =>
  (both, t) => {
    const [x] = split(both, epsilon.shape);
    const { score, slope } = scoreAt(x, t);
    // The flow is linear in x and in the score, so that its slope is the flow of epsilon and of the score's slope.
    const flow = (y: T, of: T) => reverseDrift(sde, y, of, t, true);
    return withColumn(flow(x, score), tf.sum(rows(tf.mul(flow(epsilon, slope), epsilon)), 1, true));
  };

const rows = (x: T): tf.Tensor2D => tf.reshape(x, [x.shape[0]!, -1]);
const withColumn = (x: T, column: T): T => tf.concat([rows(x), column as tf.Tensor2D], 1);

function split(both: T, shape: number[]): [x: T, column: T] {
  const [x, column] = tf.split(both, [both.shape[1]! - 1, 1], 1);
  return [tf.reshape(x!, shape), column!];
}
