// The forward marginal, its posterior, conversions between predictions, and the model's step back.

import * as tf from "@tensorflow/tfjs-core";
import {
  type Gaussian,
  pMeanVariance,
  qMeanVariance,
  qPosterior,
  qSample,
} from "../../../shared/diffusion/gaussian.ts";
import { toEps, toX0 } from "../../../shared/diffusion/prediction.ts";
import { tensorOf } from "../arrays.ts";
import { type ModelTypes, type ProcessParams, processFor, readOutput, varianceType } from "../diffusion.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

interface Params extends ProcessParams, ModelTypes {
  readonly clip_denoised?: boolean;
  readonly denoised_fn?: string;
}

const DENOISED_FNS: Readonly<Record<string, (x0: tf.Tensor) => tf.Tensor>> = {
  "1.5*tanh(x)": (x0) => tf.mul(tf.tanh(x0), 1.5),
};

export const gaussianOps: GoldenFamily = {
  name: "gaussian_ops",
  float32: () => true,
  run(golden) {
    tf.engine().startScope();
    const outputs = compute(golden);
    tf.engine().endScope();
    return outputs;
  },
};

function compute({ name, params, inputs }: GoldenCase): Record<string, unknown> {
  const p = params as unknown as Params;
  const process = processFor(p);
  const t = inputs.t as number[];
  const input = (key: string) => tensorOf(inputs[key]);
  if (name.startsWith("q_sample")) return read({ x_t: qSample(process, input("x_start"), t, input("noise")) });
  if (name.startsWith("q_mean")) return read({ ...names(qMeanVariance(process, input("x_start"), t)) });
  if (name.startsWith("q_posterior")) {
    const { log_variance, ...rest } = names(qPosterior(process, input("x_start"), input("x_t"), t));
    return read({ ...rest, log_variance_clipped: log_variance });
  }
  if (inputs.eps) return read({ x_start: toX0(process, "eps", input("x_t"), t, input("eps")) });
  if (inputs.x_prev) return read({ x_start: toX0(process, "x_prev", input("x_t"), t, input("x_prev")) });
  if (inputs.x_start) return read({ eps: toEps(process, input("x_t"), t, input("x_start")) });
  const prediction = readOutput(process, p, input("x_t"), t, input("model_output"));
  const transform = p.denoised_fn === undefined ? {} : { transform: DENOISED_FNS[p.denoised_fn]! };
  const { x0, ...step } = pMeanVariance(process, input("x_t"), t, prediction, {
    variance: varianceType(p.model_var_type),
    clip: p.clip_denoised ?? false,
    ...transform,
  });
  return {
    ...read({ ...names(step), pred_xstart: x0 }),
    model_timesteps: t.map((i) => process.modelTimestep(i)),
  };
}

const names = ({ mean, variance, logVariance }: Gaussian) => ({ mean, variance, log_variance: logVariance });

const read = (outputs: Readonly<Record<string, tf.Tensor | number>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(outputs).map(([key, value]) => [key, typeof value === "number" ? value : [...value.dataSync()]]),
  );
