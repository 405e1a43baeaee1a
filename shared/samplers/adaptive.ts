// DPM-Solver-12 and -23: a step is tried by two orders, and their difference says whether it holds and how long the next may
// be. Lu et al. 2022a, App. C; k-diffusion's sample_dpm_adaptive.

import * as tf from "@tensorflow/tfjs-core";
import { type Scaling, unitVariance, unscaled } from "../diffusion/paths.ts";
import { exactAtan, exactPow } from "../rng/exact-math.ts";
import { combine } from "./combine.ts";
import { type Solver, stepsFrom } from "./exponential.ts";
import type { Walk } from "./sampler.ts";
import { ancestralSplit, between, sigmaAt, timeOf } from "./sigma-math.ts";

interface Trial {
  /** Mean square of each sample's error, in units of its tolerance. */
  readonly squares: Float32Array;
  /** The length in t that was asked for, and what was left of it before the end of the way. */
  readonly h: number;
  readonly taken: number;
}

interface Judgement {
  readonly accept: boolean;
  /** How long the next step may be. */
  readonly h: number;
}

/** Judges the trials of one walk. @param order of the error in h. */
type Control = (order: number) => (trial: Trial) => Judgement;

export interface Adaptive extends Solver {
  /** Of the better of the two solutions. */
  readonly order: 2 | 3;
  readonly rtol?: number;
  readonly atol?: number;
  /** The tolerances are of x_t = s x, with this s; of x itself where absent. */
  readonly scaling?: Scaling;
  /** Length in t of the first step. */
  readonly first?: number;
  /** How near in t the end counts as reached. */
  readonly near?: number;
  readonly sNoise?: number;
  readonly control: Control;
}

/** Of the grid only the ends count. */
export const adaptive = (options: Adaptive): Walk =>
  function* (denoise, x, sigmas, { eta, noise }) {
    const { order, scaling = unscaled, first = 0.05, near = 1e-5, sNoise = 1, control } = options;
    const floor = sigmas.at(-1)!;
    const [start, end] = [timeOf(sigmas[0]!), timeOf(floor)];
    const judge = control(eta > 0 ? 1.5 : order);
    let [t, sigma, h, draws] = [start, sigmas[0]!, first, 0];
    let previous: tf.Tensor = tf.mul(x, scaling.scale(sigma));
    while (t < end - near) {
      const taken = Math.min(end - t, h);
      const next = taken < h ? floor : sigmaAt(t + taken);
      const { down, up } = ancestralSplit(sigma, next, eta, floor);
      const steps = stepsFrom(options, denoise, x, sigma);
      const at = (r: number) => between(sigma, down, r);
      const solution = (...through: number[]) => steps.to(down, through);
      const low = order === 2 ? solution() : solution(at(1 / 3));
      const high = order === 2 ? solution(at(1 / 2)) : solution(at(1 / 3), at(2 / 3));
      const lower = tf.mul(low, scaling.scale(down));
      const read = squaredErrors(lower, tf.mul(high, scaling.scale(down)), previous, options);
      const squares = yield { x, kept: [high, lower, previous], read, progress: (t - start) / (end - start) };
      const { accept, h: longer } = judge({ squares, h, taken });
      h = longer;
      if (!accept) continue;
      previous = lower;
      x = up > 0 ? combine([1, high], [up * sNoise, noise(draws++)]) : high;
      [t, sigma] = [t + taken, next];
    }
    yield { x, progress: 1 };
  };

/** [B]. */
function squaredErrors(
  low: tf.Tensor,
  high: tf.Tensor,
  previous: tf.Tensor,
  { rtol = 0.05, atol = 0.0078 }: Adaptive,
): tf.Tensor {
  const allowed = tf.maximum(tf.mul(tf.maximum(tf.abs(low), tf.abs(previous)), rtol), atol);
  const axes = low.shape.map((_, axis) => axis).slice(1);
  return tf.mean(tf.square(tf.div(tf.sub(low, high), allowed)), axes);
}

export interface Gains {
  readonly proportional?: number;
  readonly integral?: number;
  readonly derivative?: number;
  /** Steps that would have to shrink by more than this are tried again. */
  readonly acceptSafety?: number;
}

/** k-diffusion's controller, on the error of the whole batch. */
export const pid =
  ({ proportional: p = 0, integral: i = 1, derivative: d = 0, acceptSafety = 0.81 }: Gains = {}): Control =>
  (order) => {
    const exponents = [(p + i + d) / order, -(p + 2 * d) / order, d / order];
    let inverses: number[] | null = null;
    return ({ squares, h }) => {
      const inverse = 1 / (Math.sqrt(squares.reduce((sum, v) => sum + v, 0) / squares.length) + 1e-8);
      const [, last, before] = inverses ?? [inverse, inverse, inverse];
      const latest = [inverse, last!, before!];
      const raw = latest.reduce((product, value, k) => product * exactPow(value, exponents[k]!), 1);
      const factor = 1 + exactAtan(raw - 1);
      const accept = factor >= acceptSafety;
      inverses = accept ? [inverse, inverse, last!] : latest;
      return { accept, h: h * factor };
    };
  };

/** The authors' controller, on the error of the worst sample. @param theta how much of the longest step that held is dared. */
export const worst =
  (theta = 0.9): Control =>
  (order) =>
  ({ squares, h, taken }) => {
    const error = Math.sqrt(Math.max(...squares));
    return { accept: error <= 1, h: theta * Math.min(h, taken) * exactPow(error, -1 / order) };
  };

const EPS: Solver = { predict: "eps", expansion: "midpoint" };

export const dpmAdaptive: Walk = adaptive({ ...EPS, order: 3, control: pid() });
export const dpmSolver12: Walk = adaptive({ ...EPS, order: 2, scaling: unitVariance, control: worst() });
export const dpmSolver23: Walk = adaptive({ ...EPS, order: 3, scaling: unitVariance, control: worst() });
