// The golden files' names for a process and for what a network predicts, in plume's words.

import * as tf from "@tensorflow/tfjs-core";
import {
  interpret,
  type Prediction,
  type PredictionType,
  type Reads,
  type Steps,
  type VarianceType,
} from "../../shared/diffusion/prediction.ts";
import { type Coefficients, createProcess, type Process } from "../../shared/diffusion/process.ts";
import type { Denoiser } from "../../shared/samplers/sampler.ts";
import { type AnalyticModel, analyticEps, eachSample } from "./analytic.ts";

export interface ProcessParams {
  readonly schedule: string;
  readonly num_timesteps: number;
  readonly respacing?: string | null;
  readonly rescale_timesteps?: boolean;
}

export interface ModelTypes {
  readonly model_mean_type?: string;
  readonly model_var_type?: string;
}

export const processFor = (p: ProcessParams): Process =>
  createProcess({
    schedule: p.schedule,
    timesteps: p.num_timesteps,
    respacing: p.respacing ?? null,
    rescaleTimesteps: p.rescale_timesteps ?? false,
  });

const MEAN_TYPES: Readonly<Record<string, PredictionType>> = {
  EPSILON: "eps",
  START_X: "x0",
  V: "v",
  VELOCITY: "v",
  PREVIOUS_X: "x_prev",
};

const VARIANCE_TYPES: Readonly<Record<string, VarianceType>> = {
  FIXED_SMALL: "fixed-small",
  FIXED_LARGE: "fixed-large",
  LEARNED: "learned",
  LEARNED_RANGE: "learned-range",
};

export const varianceType = (name = "FIXED_SMALL"): VarianceType => VARIANCE_TYPES[name]!;

export const readsOf = ({ model_mean_type = "EPSILON", model_var_type }: ModelTypes): Reads => ({
  predict: MEAN_TYPES[model_mean_type]!,
  variance: varianceType(model_var_type),
});

/** Reads a network's output as the case says. */
export const readOutput = (
  c: Coefficients,
  types: ModelTypes,
  x_t: tf.Tensor,
  t: Steps,
  output: tf.Tensor,
): Prediction => interpret(c, readsOf(types), x_t, t, output);

/** A closed-form eps network, what is said of its time input and its variance channels with it. */
export interface AnalyticNetwork extends ModelTypes {
  readonly model?: AnalyticModel;
  readonly model_rule?: string;
}

/** The analytic eps network of the original process, asked at respaced steps. */
export function analyticSteps(p: AnalyticNetwork, original: Process, process: Process): Denoiser {
  const [, range] = /variance channels are all (-?[\d.]+)/.exec(p.model_rule ?? "") ?? [];
  return (x, step) => {
    const i = process.timestepMap[step]!;
    const [a, s] = [original.sqrtAlphasCumprod[i]!, original.sqrtOneMinusAlphasCumprod[i]!];
    const samples = eachSample(x, (sample) => analyticEps(p.model!, sample, a, s));
    const eps = tf.tensor(samples, x.shape);
    const output = range === undefined ? eps : tf.concat([eps, tf.fill(x.shape, Number(range))], x.rank - 1);
    return readOutput(process, p, x, step, output);
  };
}
