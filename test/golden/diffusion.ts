// The golden files' names for what a network predicts, in plume's words.

import type * as tf from "@tensorflow/tfjs-core";
import {
  interpret,
  type Prediction,
  type PredictionType,
  type Steps,
  type VarianceType,
} from "../../shared/diffusion/prediction.ts";
import type { Coefficients } from "../../shared/diffusion/process.ts";

export interface ModelTypes {
  readonly model_mean_type?: string;
  readonly model_var_type?: string;
}

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

/** Reads a network's output as the case says. */
export function readOutput(
  c: Coefficients,
  { model_mean_type = "EPSILON", model_var_type }: ModelTypes,
  x_t: tf.Tensor,
  t: Steps,
  output: tf.Tensor,
): Prediction {
  const types = { predict: MEAN_TYPES[model_mean_type]!, variance: varianceType(model_var_type) };
  return interpret(c, types, x_t, t, output);
}
