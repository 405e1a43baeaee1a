// Karras et al. 2022: preconditioning, losses, noise levels, Algorithm 2, and the ablation sampler's choices.

import * as tf from "@tensorflow/tfjs-core";
import { iddpm, inTime, karras, polyexponential, vpTime } from "../../../shared/diffusion/grids.ts";
import { type Level, type Parameterization, parameterizationOf } from "../../../shared/diffusion/parameterization.ts";
import {
  betasBetween,
  exploding,
  preserving,
  straight,
  unitVariance,
  unscaled,
} from "../../../shared/diffusion/paths.ts";
import { createProcess } from "../../../shared/diffusion/process.ts";
import { PROCESSES } from "../../../shared/diffusion/processes/index.ts";
import { type NoiseProcess, type ProcessOptions, ratioOf } from "../../../shared/diffusion/processes/process.ts";
import { linearBeta } from "../../../shared/diffusion/processes/vp.ts";
import { churned, euler, eulerWalk, heun, heunWalk } from "../../../shared/samplers/ode.ts";
import type { Walk } from "../../../shared/samplers/sampler.ts";
import { type AnalyticModel, analyticDenoiser, exactFlow } from "../analytic.ts";
import { flat, type Nested, tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { walked } from "../sigma-walk.ts";

export const edm: GoldenFamily = {
  name: "edm",
  float32: () => true,
  run(golden) {
    const { inputs, expected, params } = golden;
    if (expected.c_noise) return preconditioned(golden);
    if (expected.loss) return losses(golden);
    if (expected.euler_max_error) return convergence(golden);
    if (inputs.latents) return sampled(golden);
    if (params.discretization) return { sigma: discretization(params as unknown as Ablation).sigmas };
    return { sigmas: [...grid(golden), 0] };
  },
};

// Preconditioning and losses.

interface Precond {
  readonly process: NoiseProcess;
  readonly parameterization: Parameterization;
  /** What the network of the repository is told, and its output in the words of the parameterization. */
  label(sigma: number): number;
  output(F: number, sigma: number): number;
}

const DEFAULTS: ProcessOptions = {
  schedule: "cosine",
  timesteps: 1000,
  betaMin: 0.1,
  betaMax: 20,
  pMean: -1.2,
  pStd: 1.2,
};

const asIs = (F: number): number => F;

function precondOf(p: Readonly<Record<string, unknown>>): Precond {
  const { sigma_data = 0.5, P_mean = -1.2, P_std = 1.2 } = p as Record<string, number>;
  const { beta_d = 19.9, beta_min = 0.1, sigma_min = 0.02, sigma_max = 100 } = p as Record<string, number>;
  const by = (name: "eps" | "score" | "edm") => parameterizationOf(name, sigma_data);
  const told = ({ label, timeOf }: NoiseProcess) => ({ label: (sigma: number) => label(timeOf(sigma)) });
  switch (p.precond) {
    case "VPPrecond": {
      const process = PROCESSES.vp.create({ ...DEFAULTS, betaMin: beta_min, betaMax: beta_min + beta_d });
      // Of sigmas beyond the process' end as well.
      const { timeOf } = linearBeta(beta_min, beta_d);
      const label = (sigma: number) => process.label(timeOf(Math.log1p(sigma * sigma)));
      return { process, parameterization: by("eps"), label, output: asIs };
    }
    case "VEPrecond": {
      // This network gives sigma times the score, and is told ln(sigma / 2).
      const process = PROCESSES.ve.create({ ...DEFAULTS, sigmaMin: sigma_min, sigmaMax: sigma_max });
      const label = (sigma: number) => Math.log(sigma / 2);
      return { process, parameterization: by("score"), label, output: (F, sigma) => F / sigma };
    }
    case "iDDPMPrecond": {
      const process = PROCESSES.ddpm.create(DEFAULTS);
      return { process, parameterization: by("eps"), label: nearestStep, output: asIs };
    }
    default: {
      const process = PROCESSES.edm.create({ ...DEFAULTS, pMean: P_mean, pStd: P_std });
      return { process, parameterization: by("edm"), ...told(process), output: asIs };
    }
  }
}

/** The step of iDDPM's process whose sigma / alpha is nearest; without noise it would be step -1. */
function nearestStep(sigma: number): number {
  const { alphasCumprod } = createProcess({ schedule: "cosine", timesteps: 1000 });
  const distance = (alphaBar: number) => Math.abs(Math.sqrt((1 - alphaBar) / alphaBar) - sigma);
  const steps = [1, ...alphasCumprod].map(distance);
  return steps.indexOf(Math.min(...steps)) - 1;
}

/** x_t = alpha x of a sigma: of the process' own scale, beyond its ends too. */
const levelOf = ({ level, span }: NoiseProcess, sigma: number): Level => {
  const alpha = level(span.max).alpha === 1 ? 1 : 1 / Math.sqrt(1 + sigma * sigma);
  return { alpha, sigma: alpha * sigma };
};

const perSample = (values: readonly number[]) => tf.tensor(values, [values.length, 1, 1, 1]);

/** x, F [B, H, W, C] at sigmas [B]: what the network sees, and D. */
function denoised({ process, parameterization, output }: Precond, x: tf.Tensor, F: tf.Tensor, sigmas: number[]) {
  const levels = sigmas.map((sigma) => levelOf(process, sigma));
  const readings = levels.map(parameterization.reading);
  const x_t = tf.mul(x, perSample(levels.map(({ alpha }) => alpha)));
  const given = tf.mul(F, perSample(sigmas.map((sigma) => output(1, sigma))));
  return {
    seen: tf.mul(x_t, perSample(levels.map((level) => parameterization.input?.(level) ?? 1))),
    D: tf.add(
      tf.mul(x_t, perSample(readings.map(({ skip }) => skip))),
      tf.mul(given, perSample(readings.map(({ out }) => out))),
    ),
  };
}

function preconditioned({ params, inputs }: GoldenCase): Record<string, unknown> {
  const precond = precondOf(params);
  const sigmas = inputs.sigma as number[];
  const { seen, D } = denoised(precond, tensorOf(inputs.x), tensorOf(inputs.F), sigmas);
  const levels = sigmas.map((sigma) => levelOf(precond.process, sigma));
  const { reading, input } = precond.parameterization;
  return {
    D: D.dataSync(),
    network_input: seen.dataSync(),
    c_noise: sigmas.map(precond.label),
    c_skip: levels.map((level) => reading(level).skip * level.alpha),
    c_out: levels.map((level) => reading(level).out),
    c_in: levels.map((level) => (input?.(level) ?? 1) * level.alpha),
  };
}

function losses({ params, inputs }: GoldenCase): Record<string, unknown> {
  const precond = precondOf(params);
  const { process, parameterization } = precond;
  const sigmas = timesOf(process, inputs).map((t) => ratioOf(process.level(t)));
  const images = tensorOf(inputs.images);
  const x = tf.add(images, tf.mul(tensorOf(inputs.noise), perSample(sigmas)));
  const { D } = denoised(precond, x, tensorOf(inputs.F), sigmas);
  // |D - y|^2 counts what |F - target|^2 does, by the weight of that and out^2.
  const weights = sigmas.map((sigma) => {
    const level = levelOf(process, sigma);
    const { out } = parameterization.reading(level);
    return (parameterization.weight?.(level) ?? 1) / (out * out);
  });
  const loss = tf.mul(tf.squaredDifference(D, images), perSample(weights));
  return { sigma: sigmas, weight: weights, loss: loss.dataSync(), loss_sum: tf.sum(loss).dataSync() };
}

/** The times that the loss draws, from the case's normal or uniform numbers. */
function timesOf({ draw, level, span }: NoiseProcess, { rnd_normal, rnd_uniform }: GoldenCase["inputs"]): number[] {
  if (rnd_normal) {
    const normals = Float32Array.from(flat(rnd_normal as Nested));
    return Array.from(draw({ normals: () => normals, uniforms: none, integers: none }, normals.length));
  }
  // VP's loss counts from the other end; VE's starts at 0 and not at 1e-5.
  const isVp = level(span.max).alpha < 1;
  return flat(rnd_uniform as Nested).map((u) => (isVp ? 1 + u * (1e-5 - 1) : u));
}

function none(): never {
  throw new Error("this process draws other numbers than the case has");
}

// Noise levels.

interface GridParams {
  readonly n: number;
  readonly sigma_min: number;
  readonly sigma_max: number;
  readonly rho?: number;
  readonly beta_d?: number;
  readonly beta_min?: number;
  readonly eps_s?: number;
}

function grid({ source, params }: GoldenCase): Float64Array {
  const p = params as unknown as GridParams;
  if (source.includes("karras")) return karras(p.n, p.sigma_min, p.sigma_max, p.rho);
  if (!source.includes("sigmas_vp")) return polyexponential(p.n, p.sigma_min, p.sigma_max, p.rho ?? 1);
  const { beta_d = 19.9, beta_min = 0.1, eps_s = 1e-3 } = p;
  return inTime(p.n, preserving({ betaMin: beta_min, betaSlope: beta_d }).sigma, 1, eps_s);
}

interface Ablation {
  readonly num_steps: number;
  readonly discretization: "vp" | "ve" | "iddpm" | "edm";
  readonly schedule: "vp" | "ve" | "linear";
  readonly scaling: "vp" | "none";
  readonly solver: "euler" | "heun";
  readonly alpha?: number;
  readonly sigma_min?: number | null;
  readonly sigma_max?: number | null;
  readonly rho?: number;
  readonly epsilon_s?: number;
  readonly M?: number;
}

/** The levels of the ablation sampler; the repository's defaults where the case names none. */
function discretization(p: Ablation) {
  const { num_steps: n, rho = 7, epsilon_s = 1e-3, M = 1000 } = p;
  const vp = preserving({ betaMin: 0.1, betaSlope: 19.9 });
  const [least, most] = {
    vp: [vp.sigma(epsilon_s), vp.sigma(1)],
    ve: [0.02, 100],
    iddpm: [0.002, 81],
    edm: [0.002, 80],
  }[p.discretization] as [number, number];
  const ends = [p.sigma_min ?? least, p.sigma_max ?? most] as const;
  const sigmas = {
    vp: () => vpTime(n, ...ends, epsilon_s),
    ve: () => polyexponential(n, ...ends),
    iddpm: () => iddpm(n, ...ends, M),
    edm: () => karras(n, ...ends, rho),
  }[p.discretization]();
  return { sigmas, betas: betasBetween(...ends, epsilon_s) };
}

// Samplers.

function churnOf(p: Readonly<Record<string, unknown>>) {
  const { S_churn = 0, S_min = 0, S_max = Number.POSITIVE_INFINITY, S_noise = 1 } = p as Record<string, number>;
  return { churn: S_churn, sMin: S_min, sMax: S_max, sNoise: S_noise };
}

function ablation(p: Ablation): { readonly walk: Walk; readonly sigmas: Float64Array } {
  const { sigmas, betas } = discretization(p);
  const schedule = { vp: preserving(betas), ve: exploding, linear: straight }[p.schedule];
  const path = { schedule, scaling: p.scaling === "vp" ? unitVariance : unscaled };
  const method = p.solver === "euler" ? euler(path) : heun(path, p.alpha ?? 1);
  return { walk: churned(method, churnOf(p as unknown as Record<string, unknown>)), sigmas };
}

async function sampled({ params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Ablation & { readonly model: AnalyticModel };
  const { walk, sigmas } = p.discretization
    ? ablation(p)
    : { walk: heunWalk(churnOf(params)), sigmas: karras(p.num_steps, p.sigma_min!, p.sigma_max!, p.rho) };
  const x = tf.mul(tensorOf(inputs.latents), sigmas[0]!);
  const exact = p.model.type === "gaussian" ? exactFlow(p.model, x, sigmas[0]!, 0) : null;
  const way = { x, sigmas: [...sigmas, 0], noise: inputs.noise };
  const { sample } = await walked(walk, analyticDenoiser(p.model), way);
  return { sample, exact_ode_solution: exact };
}

async function convergence({ params, inputs, expected }: GoldenCase): Promise<Record<string, unknown>> {
  const { sigma_min, sigma_max, rho } = params as unknown as GridParams;
  const model = params.model as AnalyticModel;
  const start = () => tf.mul(tensorOf(inputs.latents), sigma_max);
  const exact = exactFlow(model, start(), sigma_max, sigma_min);
  const steps = expected.steps as number[];
  const errors = (walk: Walk) =>
    Promise.all(
      steps.map(async (n) => {
        const sigmas = karras(n + 1, sigma_min, sigma_max, rho);
        const { sample } = await walked(walk, analyticDenoiser(model), { x: start(), sigmas });
        return Math.max(...exact.map((value, i) => Math.abs(value - sample[i]!)));
      }),
    );
  return { steps, exact, euler_max_error: await errors(eulerWalk()), heun_max_error: await errors(heunWalk()) };
}
