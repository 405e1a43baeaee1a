// Ancestral and DDIM steps, inversion, and whole loops with supplied noise; the network is given, or analytic.

import * as tf from "@tensorflow/tfjs-core";
import { type Process, processOf } from "../../../shared/diffusion/process.ts";
import { betasOf } from "../../../shared/diffusion/schedules.ts";
import { ancestralStep } from "../../../shared/samplers/ancestral.ts";
import { ddimInversionStep, ddimStep } from "../../../shared/samplers/ddim.ts";
import { invert, sample } from "../../../shared/samplers/sample.ts";
import type { Denoiser, SampleOptions, StepResult } from "../../../shared/samplers/sampler.ts";
import { type Nested, tensorOf } from "../arrays.ts";
import { type AnalyticNetwork, analyticSteps, type ProcessParams, processFor, readOutput } from "../diffusion.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

interface Params extends ProcessParams, AnalyticNetwork {
  readonly clip_denoised?: boolean;
  readonly eta?: number | null;
  readonly seq?: number[];
  readonly beta_start?: number;
  readonly beta_end?: number;
  readonly clip?: boolean;
}

export const ancestralDdim: GoldenFamily = {
  name: "ancestral_ddim",
  float32: () => true,
  run(golden) {
    const { inputs } = golden;
    if (inputs.model_output) return singleSteps(golden);
    if (inputs.x_start) return inversionLoop(golden);
    return golden.params.seq ? ermonLoop(golden) : loop(golden);
  },
};

function optionsFor(p: Params, process: Process, noise: SampleOptions["noise"]): SampleOptions {
  return {
    process,
    clip: p.clip_denoised ?? false,
    eta: p.eta ?? 0,
    variance: p.model_var_type === "FIXED_SMALL" ? "fixed-small" : "fixed-large",
    noise,
  };
}

/** Each sample has a time step of its own: one call a sample. */
function singleSteps({ name, params, inputs }: GoldenCase): Record<string, unknown> {
  const p = params as unknown as Params;
  const process = processFor(p);
  const { x_t, t, model_output, noise } = inputs as {
    x_t: Nested[];
    t: number[];
    model_output: Nested[];
    noise?: Nested[];
  };
  const results = t.map((step, i) => {
    const one = (values: Nested[]) => tensorOf([values[i]!]);
    const denoise: Denoiser = (x, at) => readOutput(process, p, x, at, one(model_output));
    const options = optionsFor(p, process, () => one(noise!));
    const run = (): StepResult => {
      if (name.startsWith("ddim_reverse")) return ddimInversionStep(denoise, one(x_t), step, options);
      return (name.startsWith("ddim") ? ddimStep : ancestralStep)(denoise, one(x_t), step, options);
    };
    return tf.tidy(() => {
      const { x, x0 } = run();
      return { x: [...x.dataSync()], x0: [...x0.dataSync()] };
    });
  });
  return { sample: results.map(({ x }) => x), pred_xstart: results.map(({ x0 }) => x0) };
}

async function loop({ params, inputs, expected }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Params;
  const process = processFor(p);
  const denoise = analyticSteps(p, processOf(betasOf(p.schedule, p.num_timesteps)), process);
  const noise = inputs.noise as Nested[] | undefined;
  const options = optionsFor(p, process, (step) => tensorOf(noise![process.T - 1 - step]!));
  const states: number[][] = [];
  const step = p.eta === null || p.eta === undefined ? ancestralStep : ddimStep;
  const recording: typeof step = (...args) => {
    const result = step(...args);
    states.push([...result.x.dataSync()]);
    return result;
  };
  const x = await sample(recording, denoise, tensorOf(inputs.x_T), options);
  x.dispose();
  const steps = expected.trajectory_steps as number[];
  return { trajectory_steps: steps, trajectory: steps.map((k) => states[k]), final: states.at(-1) };
}

/** The last step leads to pure noise at abar = 0, which the source leaves out. */
async function inversionLoop({ params, inputs, expected }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Params;
  const process = processFor(p);
  const denoise = analyticSteps(p, processOf(betasOf(p.schedule, p.num_timesteps)), process);
  const states: number[][] = [];
  const recording: typeof ddimInversionStep = (...args) => {
    const result = ddimInversionStep(...args);
    states.push([...result.x.dataSync()]);
    return result;
  };
  const options = { process, clip: p.clip_denoised ?? false };
  (await invert(recording, denoise, tensorOf(inputs.x_start), options)).dispose();
  const steps = expected.steps as number[];
  return { steps, trajectory: steps.map((k) => states[k]), latent: states.at(-1) };
}

/** generalized_steps and ddpm_steps of the DDIM repository: a strided chain of the schedule's betas. */
async function ermonLoop({ params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Params;
  const schedule = p.schedule === "linspace" ? "linear" : p.schedule;
  const betas = betasOf(schedule, p.num_timesteps, { betaStart: p.beta_start!, betaEnd: p.beta_end! });
  const original = processOf(betas);
  const process = strided(betas, p.seq!);
  const denoise = analyticSteps(p, original, process);
  const noise = inputs.noise as Nested[] | undefined;
  const options: SampleOptions = {
    process,
    clip: p.clip ?? false,
    eta: p.eta ?? 0,
    variance: "fixed-large",
    noise: (step) => tensorOf(noise![process.T - 1 - step]!),
  };
  const states: number[][] = [];
  let lastX0: number[] = [];
  const step = p.eta === undefined || p.eta === null ? ancestralStep : ddimStep;
  const x = await sample(
    (...args) => {
      const result = step(...args);
      states.push([...result.x.dataSync()]);
      lastX0 = [...result.x0.dataSync()];
      return result;
    },
    denoise,
    tensorOf(inputs.x_T),
    options,
  );
  x.dispose();
  return { states, x0_pred_last: lastX0 };
}

/** The chain that visits `seq`: as respacing, but any ascending sequence. */
function strided(betas: Float64Array, seq: readonly number[]): Process {
  const all = processOf(betas);
  const kept = seq.map((t) => all.alphasCumprod[t]!);
  const own = processOf(Float64Array.from(kept, (abar, i) => 1 - abar / (i === 0 ? 1 : kept[i - 1]!)));
  return { ...own, timestepMap: seq, modelTimestep: (i) => seq[i]! };
}
