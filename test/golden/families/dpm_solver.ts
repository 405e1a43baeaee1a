// DPM-Solver and DPM-Solver++: noise levels, grids, orders, single updates, whole trajectories, other networks, the adaptive
// solver. Its x_t is the walks' x times alpha; its time of a discrete process of N steps is (step + 1) / N.

import * as tf from "@tensorflow/tfjs-core";
import { inTime, polyexponential } from "../../../shared/diffusion/grids.ts";
import {
  type Level,
  type ParameterizationName,
  parameterizationOf,
} from "../../../shared/diffusion/parameterization.ts";
import { unitVariance } from "../../../shared/diffusion/paths.ts";
import { PROCESSES } from "../../../shared/diffusion/processes/index.ts";
import { ratioOf } from "../../../shared/diffusion/processes/process.ts";
import { dynamicThreshold } from "../../../shared/diffusion/threshold.ts";
import { adaptive, worst } from "../../../shared/samplers/adaptive.ts";
import { multistep } from "../../../shared/samplers/multistep.ts";
import type { SigmaDenoiser, Walk } from "../../../shared/samplers/sampler.ts";
import { sigmaAt, timeOf } from "../../../shared/samplers/sigma-math.ts";
import { evaluationsOf, ordersOf, singlestep } from "../../../shared/samplers/singlestep.ts";
import { type AnalyticModel, analyticDenoiser, analyticEps, eachSample, exactFlow } from "../analytic.ts";
import { tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { walked } from "../sigma-walk.ts";

type Order = 1 | 2 | 3;

interface Params {
  readonly schedule?: string;
  readonly num_timesteps?: number;
  readonly beta_0?: number;
  readonly beta_1?: number;
  readonly skip_type?: "logSNR" | "time_uniform" | "time_quadratic";
  readonly t_T?: number;
  readonly t_0?: number;
  readonly t_start?: number;
  readonly t_end?: number;
  readonly N?: number;
  readonly s?: number;
  readonly t?: number;
  readonly steps: number;
  readonly order: Order;
  readonly method?: "singlestep" | "singlestep_fixed" | "multistep";
  readonly algorithm_type?: "dpmsolver" | "dpmsolver++";
  readonly solver_type?: "dpmsolver" | "taylor";
  readonly lower_order_final?: boolean;
  readonly denoise_to_zero?: boolean;
  readonly model_type?: "noise" | "x_start" | "v" | "score";
  readonly model: AnalyticModel;
  readonly network?: string;
  readonly correcting_x0_fn?: string | null;
  readonly thresholding_max_val?: number;
  readonly dynamic_thresholding_ratio?: number;
  readonly atol?: number;
  readonly rtol?: number;
  readonly h_init?: number;
  readonly theta?: number;
  readonly t_err?: number;
}

export const dpmSolver: GoldenFamily = {
  name: "dpm_solver",
  float32: () => true,
  run(golden) {
    const { inputs, expected } = golden;
    const p = golden.params as unknown as Params;
    if (inputs.lambda_query) return functions(p, inputs.t as number[], inputs.lambda_query as number[]);
    if (expected.orders) return orders(p);
    if (expected.timesteps) return { timesteps: times(p, grid(p, p.N!)) };
    if (inputs.x0) return thresholded(golden);
    if (inputs.x) return update(p, inputs.x);
    if (expected.network_labels) return wrapped(p, inputs.x_T);
    if (expected.network_calls !== undefined) return adapted(p, inputs.x_T);
    return expected.exact ? convergence(golden) : sampled(p, inputs.x_T);
  },
};

/** The noise levels by the solver's time. */
interface Noise {
  /** Steps of the discrete process, without those that are cut off. */
  readonly N: number;
  level(t: number): Level;
  timeOf(ratio: number): number;
  label(t: number): number;
}

function noiseOf({ schedule = "linear", num_timesteps, beta_0 = 0.1, beta_1 = 20 }: Params): Noise {
  const timesteps = num_timesteps ?? 1000;
  const options = { schedule, timesteps, betaMin: beta_0, betaMax: beta_1, pMean: 0, pStd: 1 };
  if (num_timesteps === undefined) return { N: 1000, ...PROCESSES.vp.create(options) };
  const { span, level, timeOf, label } = PROCESSES.ddpm.create(options);
  const N = span.max + 1;
  const before = beforeFirst(level(0), level(1));
  return {
    N,
    level(t) {
      const step = nearWhole(t * N - 1);
      return step < 0 ? before.level(step) : level(step);
    },
    timeOf: (ratio) => ((ratio < ratioOf(level(0)) ? before.timeOf(ratio) : timeOf(ratio)) + 1) / N,
    label: (t) => (label(t * N - 1) * 1000) / N,
  };
}

/** Steps below 0, which DPM-Solver's interpolation knows: the line of the first two through log alpha goes on. */
function beforeFirst({ alpha: first }: Level, { alpha: second }: Level) {
  const [start, slope] = [Math.log(first), Math.log(second / first)];
  return {
    level(step: number): Level {
      const logAlpha = start + step * slope;
      return { alpha: Math.exp(logAlpha), sigma: Math.sqrt(-Math.expm1(2 * logAlpha)) };
    },
    timeOf: (ratio: number): number => (-0.5 * Math.log1p(ratio * ratio) - start) / slope,
  };
}

/** t N - 1 without the rounding of t. */
const nearWhole = (step: number): number => (Math.abs(step - Math.round(step)) < 1e-9 ? Math.round(step) : step);

const ratioAt = (p: Params, t: number): number => ratioOf(noiseOf(p).level(t));

const ends = ({ t_T, t_start, t_0, t_end }: Params) => [t_T ?? t_start ?? 1, t_0 ?? t_end ?? 1e-3] as const;

/** The sigmas of n + 1 levels. */
function grid(p: Params, n: number): Float64Array {
  const { level } = noiseOf(p);
  const [first, last] = ends(p);
  const sigmaOf = (t: number) => ratioOf(level(t));
  if (p.skip_type === "logSNR") return polyexponential(n + 1, sigmaOf(last), sigmaOf(first));
  return inTime(n + 1, sigmaOf, first, last, p.skip_type === "time_quadratic" ? 2 : 1);
}

const times = (p: Params, sigmas: Float64Array): number[] => Array.from(sigmas, noiseOf(p).timeOf);

function functions(p: Params, t: readonly number[], lambdas: readonly number[]): Record<string, unknown> {
  const { N, level, timeOf: timeAt } = noiseOf(p);
  const levels = t.map(level);
  return {
    total_N: N,
    log_alpha: levels.map(({ alpha }) => Math.log(alpha)),
    alpha: levels.map(({ alpha }) => alpha),
    sigma: levels.map(({ sigma }) => sigma),
    half_logsnr: levels.map((l) => timeOf(ratioOf(l))),
    inverse_lambda: lambdas.map((lambda) => timeAt(sigmaAt(lambda))),
  };
}

/** Orders of the steps, the sigmas of their evaluations, and which of those begin or end a step. */
function singlesteps(p: Params) {
  const lowerOrderFinal = p.method !== "singlestep_fixed";
  const n = lowerOrderFinal ? p.steps : p.steps - (p.steps % p.order);
  const orders = ordersOf(n, { order: p.order, lowerOrderFinal });
  const outer = [0];
  for (const order of orders) outer.push(outer.at(-1)! + order);
  const sigmas = p.skip_type === "logSNR" ? evaluationsOf(grid(p, orders.length), orders) : grid(p, n);
  return { orders, outer, sigmas, lowerOrderFinal };
}

function orders(p: Params): Record<string, unknown> {
  const { orders, outer, sigmas } = singlesteps(p);
  return {
    orders,
    timesteps_outer: times(
      p,
      Float64Array.from(outer, (i) => sigmas[i]!),
    ),
  };
}

const solverOf = ({ algorithm_type = "dpmsolver++", solver_type = "dpmsolver" }: Params) =>
  ({
    predict: algorithm_type === "dpmsolver" ? "eps" : "x0",
    expansion: solver_type === "taylor" ? "taylor" : "midpoint",
  }) as const;

/** x_t to x and back. */
const unscaled = (x_t: unknown, { alpha }: Level): tf.Tensor => tf.div(tensorOf(x_t), alpha);
const scaled = (x: Float32Array, { alpha }: Level): Float32Array => x.map((v) => v * alpha);

async function update(p: Params, x_t: unknown): Promise<Record<string, unknown>> {
  const { level } = noiseOf(p);
  const [from, to] = [level(p.s!), level(p.t!)];
  const sigmas = evaluationsOf(Float64Array.of(ratioOf(from), ratioOf(to)), [p.order]);
  const walk = singlestep({ ...solverOf(p), order: p.order });
  const { sample } = await walked(walk, analyticDenoiser(p.model), { x: unscaled(x_t, from), sigmas });
  return { x_t: scaled(sample, to) };
}

/** The walk of a whole trajectory, its sigmas, and which of them its states are at. */
function trajectory(p: Params): { walk: Walk; sigmas: number[]; states: number[] } {
  const { order, lower_order_final: lowerOrderFinal = true } = p;
  const zero = p.denoise_to_zero ? [0] : [];
  if ((p.method ?? "multistep") === "multistep") {
    const sigmas = [...grid(p, p.steps), ...zero];
    return { walk: multistep({ ...solverOf(p), order, lowerOrderFinal }), sigmas, states: sigmas };
  }
  const single = singlesteps(p);
  const walk = singlestep({ ...solverOf(p), order, lowerOrderFinal: single.lowerOrderFinal });
  return {
    walk,
    sigmas: [...single.sigmas, ...zero],
    states: [...single.outer.map((i) => single.sigmas[i]!), ...zero],
  };
}

async function sampled(p: Params, x_T: unknown): Promise<Record<string, unknown>> {
  const { level, timeOf: timeAt } = noiseOf(p);
  const [first, last] = ends(p);
  const { walk, sigmas, states: at } = trajectory(p);
  const x = unscaled(x_T, level(first));
  const exact = p.model.type === "gaussian" ? exactFlow(p.model, x, sigmas[0]!, ratioAt(p, last)) : [];
  const { sample, states, evaluations } = await walked(walk, analyticDenoiser(p.model), { x, sigmas });
  const levels = at.map((sigma) => (sigma === 0 ? { alpha: 1, sigma } : level(timeAt(sigma))));
  const intermediates = states.map((state, i) => scaled(state, levels[i]!));
  // The repository's list has the start of multistep trajectories only.
  const list = p.method?.startsWith("singlestep") ? intermediates.slice(1) : intermediates;
  return {
    sample: scaled(sample, levels.at(-1)!),
    nfe: evaluations,
    mid: list[Math.floor(list.length / 2)],
    exact_ode_solution: exact.map((v) => v * level(last).alpha),
  };
}

const PREDICTS: Readonly<Record<string, ParameterizationName>> = {
  noise: "eps",
  x_start: "x0",
  v: "v",
  score: "score",
};

/** A network of one of four kinds that is told a discrete label, read as plume reads its own. */
async function wrapped(p: Params, x_T: unknown): Promise<Record<string, unknown>> {
  const noise = noiseOf(p);
  const { reading, target } = parameterizationOf(PREDICTS[p.model_type ?? "noise"]!, 0.5);
  const strength = Number(/eps multiplied by ([\d.]+)/.exec(p.network ?? "")?.[1] ?? 1);
  const labels: number[] = [];
  const network = (x_t: tf.Tensor, label: number): tf.Tensor => {
    labels.push(label);
    const own = noise.level(label / 1000 + 1 / noise.N);
    const { x0: ofX0, eps: ofEps } = target(own);
    const output = (x: number[]) =>
      analyticEps(p.model, x, own.alpha, own.sigma).map((eps, i) => {
        const given = strength * eps;
        return (ofX0 * (x[i]! - own.sigma * given)) / own.alpha + ofEps * given;
      });
    return tf.tensor(eachSample(x_t, output), x_t.shape, "float32");
  };
  const threshold = { quantile: p.dynamic_thresholding_ratio ?? 0.995, least: p.thresholding_max_val ?? 1 };
  const denoise: SigmaDenoiser = (x, sigma) => {
    const t = noise.timeOf(sigma);
    const level = noise.level(t);
    const { skip, out } = reading(level);
    const x_t = tf.mul(x, level.alpha);
    const x0 = tf.add(tf.mul(x_t, skip), tf.mul(network(x_t, noise.label(t)), out));
    return p.correcting_x0_fn ? dynamicThreshold(x0, threshold) : x0;
  };
  const [first, last] = ends(p);
  const { walk, sigmas } = trajectory(p);
  const { sample } = await walked(walk, denoise, { x: unscaled(x_T, noise.level(first)), sigmas });
  return { sample: p.denoise_to_zero ? sample : scaled(sample, noise.level(last)), network_labels: labels };
}

function thresholded({ params, inputs }: GoldenCase): Record<string, unknown> {
  const { ratio, max_val } = params as Record<string, number>;
  const x0 = dynamicThreshold(tensorOf(inputs.x0), { quantile: ratio!, least: max_val! });
  return { x0_thresholded: x0.dataSync() };
}

async function adapted(p: Params, x_T: unknown): Promise<Record<string, unknown>> {
  const { level } = noiseOf(p);
  const [first, last] = ends(p);
  const walk = adaptive({
    ...solverOf({ algorithm_type: "dpmsolver", ...p }),
    order: p.order as 2 | 3,
    rtol: p.rtol ?? 0.05,
    atol: p.atol ?? 0.0078,
    first: p.h_init ?? 0.05,
    near: timeOf(ratioAt(p, last)) - timeOf(ratioAt(p, last + (p.t_err ?? 1e-5))),
    control: worst(p.theta),
    scaling: unitVariance,
  });
  const way = { x: unscaled(x_T, level(first)), sigmas: [ratioAt(p, first), ratioAt(p, last)] };
  const { sample, evaluations } = await walked(walk, analyticDenoiser(p.model), way);
  return { sample: scaled(sample, level(last)), network_calls: evaluations };
}

async function convergence({ params, inputs, expected }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Params;
  const steps = expected.steps as number[];
  const exact = (await sampled({ ...p, steps: 1, order: 1 }, inputs.x_T)).exact_ode_solution as number[];
  const errors: Record<string, number[]> = {};
  for (const key of Object.keys(expected)) {
    const [, method, order] = /^(\w+)_order(\d)_max_error$/.exec(key) ?? [];
    if (!method) continue;
    const one = { ...p, skip_type: "logSNR", method, order: Number(order), lower_order_final: false } as Params;
    errors[key] = [];
    for (const n of steps) {
      const sample = (await sampled({ ...one, steps: n }, inputs.x_T)).sample as Float32Array;
      errors[key].push(Math.max(...exact.map((value, i) => Math.abs(value - sample[i]!))));
    }
  }
  return { steps, exact, ...errors };
}
