// Consistency models: scalings and weights, denoisers around a given network, samplers, losses, curricula.

import * as tf from "@tensorflow/tfjs-core";
import {
  consistencyLabel,
  type LevelDenoiser,
  preconditioned,
  WEIGHTINGS,
  type WeightingName,
} from "../../../shared/diffusion/consistency.ts";
import { karras } from "../../../shared/diffusion/grids.ts";
import { parameterizationOf } from "../../../shared/diffusion/parameterization.ts";
import { aimedLoss } from "../../../shared/objectives/aim.ts";
import { consistencyAim } from "../../../shared/objectives/consistency.ts";
import { adaptiveDecay, halvedScales, progressiveScales } from "../../../shared/objectives/curriculum.ts";
import { denoisingLoss } from "../../../shared/objectives/denoising.ts";
import type { DistanceName } from "../../../shared/objectives/distance.ts";
import { progressiveAim } from "../../../shared/objectives/progressive.ts";
import { consistencySteps } from "../../../shared/samplers/consistency.ts";
import { churned, dpmRho3, eulerWalk, heunWalk } from "../../../shared/samplers/ode.ts";
import type { Walk } from "../../../shared/samplers/sampler.ts";
import { type AnalyticModel, analyticDenoised, eachSample } from "../analytic.ts";
import { tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { walked } from "../sigma-walk.ts";

interface Params {
  readonly sigma_data: number;
  readonly sigma_min: number;
  readonly sigma_max: number;
  readonly rho: number;
  readonly distillation?: boolean;
  readonly weight_schedule: WeightingName;
  readonly loss_norm?: DistanceName;
  readonly num_scales?: number;
  readonly network: string;
  readonly target_A?: number;
  readonly teacher?: { readonly model: AnalyticModel } | null;
  readonly ts?: number[];
  readonly steps?: number;
  readonly clip_denoised?: boolean;
}

interface Curriculum {
  readonly target_ema_mode: "fixed" | "adaptive";
  readonly scale_mode: "fixed" | "progressive" | "progdist";
  readonly start_ema: number;
  readonly start_scales: number;
  readonly end_scales: number;
  readonly total_steps: number;
  readonly distill_steps_per_iter?: number;
}

export const consistency: GoldenFamily = {
  name: "consistency",
  float32: ({ inputs }) => inputs.steps === undefined,
  run(golden) {
    const { params, inputs } = golden;
    if (inputs.steps) return curriculum(inputs.steps as number[], params as unknown as Curriculum);
    const p = params as unknown as Params;
    if (inputs.x_T_unit) return draw(golden, p);
    return tf.tidy(() => (inputs.x_start ? loss(golden, p) : pointwise(golden, p)) as never) as Record<string, unknown>;
  },
};

const numbers = (tensor: tf.Tensor): number[] => [...tensor.dataSync()];
const scalingsOf = (p: Params, boundary: boolean) =>
  parameterizationOf(boundary ? "consistency" : "edm", p.sigma_data, p.sigma_min);

function pointwise({ source, inputs, expected }: GoldenCase, p: Params): Record<string, unknown> {
  const sigma = inputs.sigma as number[];
  if (expected.weights) return { weights: sigma.map((s) => WEIGHTINGS[p.weight_schedule](s, p.sigma_data)) };
  if (expected.denoised) {
    const denoise = networkOf(p, p.distillation ?? false);
    return { denoised: numbers(denoise(tensorOf(inputs.x), sigma)), network_label: sigma.map(consistencyLabel) };
  }
  const { reading, input } = scalingsOf(p, source.includes("boundary_condition"));
  const levels = sigma.map((s) => ({ alpha: 1, sigma: s }));
  return {
    c_skip: levels.map((level) => reading(level).skip),
    c_out: levels.map((level) => reading(level).out),
    c_in: levels.map((level) => input!(level)),
  };
}

/** network(x_in, label) = A tanh(B x_in + Cc label / 1000), constants as the case's text has them. */
function networkOf(p: Params, boundary: boolean, ownA?: number): LevelDenoiser {
  const constant = (name: string) => Number(new RegExp(`\\b${name}=(-?[\\d.]*\\d)`).exec(p.network)![1]);
  const [A, B, C] = [ownA ?? constant("A"), constant("B"), constant("Cc")];
  const F = (x: tf.Tensor, label: number | tf.Tensor) =>
    tf.mul(tf.tanh(tf.add(tf.mul(x, B), tf.mul(label, C / 1000))), A);
  return preconditioned(F, scalingsOf(p, boundary));
}

/** The closed-form denoiser, with a level a sample. */
const teacherOf =
  (model: AnalyticModel): LevelDenoiser =>
  (x, sigma) => {
    const levels = Array.from(sigma as ArrayLike<number>);
    return tf.tensor(
      eachSample(x, (sample) => analyticDenoised(model, sample, levels.shift()!)),
      x.shape,
    );
  };

function loss({ inputs }: GoldenCase, p: Params): Record<string, unknown> {
  const [x0, eps] = [tensorOf(inputs.x_start), tensorOf(inputs.noise)];
  const weighed = { distance: p.loss_norm ?? "l2", weighting: p.weight_schedule, sigmaData: p.sigma_data } as const;
  const grid = (n: number) => karras(n, p.sigma_min, p.sigma_max, p.rho);
  if (inputs.sigma) {
    const { loss, plain } = denoisingLoss(weighed, networkOf(p, false), x0, eps, inputs.sigma as number[]);
    return { loss: numbers(loss), xs_mse: numbers(plain) };
  }
  const indices = inputs.indices as number[];
  const teacher: { teacher?: LevelDenoiser } = p.teacher ? { teacher: teacherOf(p.teacher.model) } : {};
  const path = (sigmas: Float64Array, i: number[]) => ({ x0, eps, sigmas: (k: number) => sigmas[k]!, i });
  if (p.target_A !== undefined) {
    const aim = consistencyAim(path(grid(p.num_scales!), indices), {
      target: networkOf(p, true, p.target_A),
      ...teacher,
    });
    return { loss: numbers(aimedLoss(weighed, networkOf(p, true), aim)) };
  }
  const even = indices.map((i) => 2 * i);
  // The student is no consistency function: EDM's scalings.
  const student = networkOf(p, false);
  const aim = progressiveAim(path(grid(2 * p.num_scales! + 1), even), { target: student, ...teacher });
  return { loss: numbers(aimedLoss(weighed, student, aim)) };
}

interface Way {
  readonly walk: Walk;
  readonly sigmas: Float64Array;
  /** Whether the network is a consistency function. */
  readonly boundary?: boolean;
}

/** The repository's samplers as walks, and the levels that they visit. */
const SAMPLERS: Readonly<Record<string, (p: Params, grid: (n: number) => Float64Array) => Way>> = {
  // Behind the named levels the least one, so that noise is added at each of them; the walk is left before its last step.
  multistep: (p, grid) => ({
    walk: consistencySteps,
    sigmas: Float64Array.of(...p.ts!.map((i) => grid(p.steps!)[i]!), p.sigma_min),
    boundary: true,
  }),
  onestep: (p) => ({ walk: consistencySteps, sigmas: Float64Array.of(p.sigma_max, p.sigma_min) }),
  progdist: (p, grid) => ({ walk: eulerWalk(), sigmas: grid(p.steps! + 1) }),
  euler: (p, grid) => ({ walk: eulerWalk(), sigmas: Float64Array.of(...grid(p.steps!), 0) }),
  heun: (p, grid) => ({ walk: heunWalk(), sigmas: Float64Array.of(...grid(p.steps!), 0) }),
  dpm: (p, grid) => ({ walk: churned(dpmRho3, { churn: 0 }), sigmas: Float64Array.of(...grid(p.steps!), 0) }),
};

async function draw({ source, inputs }: GoldenCase, p: Params): Promise<Record<string, unknown>> {
  const [, name] = /sampler=(\w+)/.exec(source)!;
  const { walk, sigmas, boundary } = SAMPLERS[name!]!(p, (n) => karras(n, p.sigma_min, p.sigma_max, p.rho));
  const network = networkOf(p, p.distillation ?? boundary ?? false);
  const clipped = (x: tf.Tensor) => tf.clipByValue(x, -1, 1);
  const denoise = (x: tf.Tensor, sigma: number) => (p.clip_denoised ? clipped(network(x, sigma)) : network(x, sigma));
  const x = tf.mul(tensorOf(inputs.x_T_unit), p.sigma_max);
  const { states } = await walked(walk, denoise, { x, sigmas, noise: inputs.noise });
  const end = states.at(name === "multistep" ? -2 : -1)!;
  return { sample: end.map((v) => Math.max(-1, Math.min(1, v))) };
}

function curriculum(steps: readonly number[], c: Curriculum): Record<string, unknown> {
  const grow = { start: c.start_scales, end: c.end_scales, totalSteps: c.total_steps };
  const scalesAt: Record<Curriculum["scale_mode"], (step: number) => number> = {
    fixed: () => c.start_scales,
    progressive: (step) => progressiveScales(step, grow),
    progdist: (step) => halvedScales(step, c.start_scales, c.distill_steps_per_iter!),
  };
  const num_scales = steps.map(scalesAt[c.scale_mode]);
  const decayAt = (scales: number): number => {
    if (c.scale_mode === "progdist") return 1;
    return c.target_ema_mode === "adaptive" ? adaptiveDecay(c.start_ema, c.start_scales, scales) : c.start_ema;
  };
  return { num_scales, target_ema: num_scales.map(decayAt) };
}
