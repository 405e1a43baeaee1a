// Guidance by a linear classifier, in the mean and in the score, and without one.

import * as tf from "@tensorflow/tfjs-core";
import { pMeanVariance, qPosterior } from "../../../shared/diffusion/gaussian.ts";
import { processOf } from "../../../shared/diffusion/process.ts";
import { vp } from "../../../shared/diffusion/processes/vp.ts";
import { betasOf } from "../../../shared/diffusion/schedules.ts";
import { type ConditionalGradient, classifierGradient } from "../../../shared/guidance/classifier.ts";
import { classifierFree } from "../../../shared/guidance/classifier-free.ts";
import { conditionMean, guideMean } from "../../../shared/guidance/condition-mean.ts";
import { conditionEps, conditionScore, guideScore } from "../../../shared/guidance/condition-score.ts";
import { ancestralStep } from "../../../shared/samplers/ancestral.ts";
import { ddimStep } from "../../../shared/samplers/ddim.ts";
import { sample } from "../../../shared/samplers/sample.ts";
import type { SamplerStep } from "../../../shared/samplers/sampler.ts";
import { type Nested, tensorOf } from "../arrays.ts";
import {
  type AnalyticNetwork,
  analyticSteps,
  type ProcessParams,
  processFor,
  readOutput,
  varianceType,
} from "../diffusion.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

interface Params extends ProcessParams, AnalyticNetwork {
  readonly clip_denoised?: boolean;
  readonly eta?: number | null;
  readonly classifier_scale?: number;
  readonly time_coef?: number;
  readonly guidance_scale?: number;
}

export const guidance: GoldenFamily = {
  name: "guidance",
  float32: () => true,
  run: (golden) => {
    const { inputs } = golden;
    if (inputs.x_T) return loop(golden);
    const serve = inputs.eps_cond ? mixture : inputs.eps ? continuous : inputs.x ? gradientAlone : step;
    return tf.tidy(() => serve(golden) as never) as unknown as Record<string, unknown>;
  },
};

/** flatten(x) W + b + time_coef t_model [0..K-1]/K, for the samples of x. */
function logitsOf({ params, inputs }: GoldenCase, time: (step: number) => number) {
  const [W, b] = [tensorOf(inputs.W) as tf.Tensor2D, tensorOf(inputs.b)];
  const K = W.shape[1];
  const perClass = tf.div(tf.range(0, K), K);
  const { time_coef = 0 } = params as unknown as Params;
  return (x: tf.Tensor, step: number): tf.Tensor =>
    tf.add(tf.add(tf.matMul(tf.reshape(x, [x.shape[0]!, -1]), W), b), tf.mul(perClass, time_coef * time(step)));
}

const labelsOf = (y: number[]) => tf.tensor1d(y, "int32");
const values = (tensor: tf.Tensor): number[] => [...tensor.dataSync()];

/** The gradient for sample i alone. */
function gradientOf(golden: GoldenCase, i: number, time: (step: number) => number, scale: number): ConditionalGradient {
  return classifierGradient(logitsOf(golden, time), labelsOf([(golden.inputs.y as number[])[i]!]), scale);
}

/** DDIM where the case has an eta. */
const guidedStep = ({ eta = null }: Params, gradient: ConditionalGradient): SamplerStep =>
  eta === null ? guideMean(ancestralStep, gradient) : guideScore(ddimStep, gradient);

function gradientAlone(golden: GoldenCase): Record<string, unknown> {
  const { x, t_model } = golden.inputs as { x: Nested[]; t_model: number[] };
  const { classifier_scale } = golden.params as unknown as Params;
  const gradient = x.map((one, i) =>
    values(gradientOf(golden, i, () => t_model[i]!, classifier_scale!)(tensorOf([one]), 0)),
  );
  return { gradient };
}

/** Each sample has a time step of its own: one call a sample. */
function step(golden: GoldenCase): Record<string, unknown> {
  const { params, inputs } = golden;
  const p = params as unknown as Params;
  const process = processFor(p);
  const options = {
    process,
    clip: p.clip_denoised ?? false,
    eta: p.eta ?? 0,
    variance: p.model_var_type === "FIXED_SMALL" ? ("fixed-small" as const) : ("fixed-large" as const),
  };
  const outputs = (inputs.t as number[]).map((t, i): Record<string, tf.Tensor> => {
    const one = (key: string) => tensorOf([(inputs[key] as Nested[])[i]!]);
    const x_t = one("x_t");
    const denoise = (x: tf.Tensor, at: number) => readOutput(process, p, x, at, one("model_output"));
    const gradient = gradientOf(golden, i, process.modelTimestep, p.classifier_scale!);
    if (inputs.noise) {
      const noise = () => one("noise");
      const { x, x0 } = guidedStep(p, gradient)(denoise, x_t, t, { ...options, noise });
      return { sample: x, pred_xstart: x0 };
    }
    const variance = varianceType(p.model_var_type);
    const back = pMeanVariance(process, x_t, t, denoise(x_t, t), { ...options, variance });
    if (!golden.expected.pred_xstart) return { mean: conditionMean(back, gradient(x_t, t)) };
    const x0 = conditionScore(process, x_t, t, back.x0, gradient(x_t, t));
    return { mean: qPosterior(process, x0, x_t, t).mean, pred_xstart: x0 };
  });
  return Object.fromEntries(
    Object.keys(outputs[0]!).map((key) => [key, outputs.map((output) => values(output[key]!))]),
  );
}

async function loop(golden: GoldenCase): Promise<Record<string, unknown>> {
  const { params, inputs } = golden;
  const p = params as unknown as Params;
  const process = processFor(p);
  const denoise = analyticSteps(p, processOf(betasOf(p.schedule, p.num_timesteps)), process);
  const gradient = classifierGradient(
    logitsOf(golden, process.modelTimestep),
    labelsOf(inputs.y as number[]),
    p.classifier_scale!,
  );
  const guided = guidedStep(p, gradient);
  const states: number[][] = [];
  const recording: SamplerStep = (...args) => {
    const result = guided(...args);
    states.push(values(result.x));
    return result;
  };
  const noise = inputs.noise as Nested[] | undefined;
  const x = await sample(recording, denoise, tensorOf(inputs.x_T), {
    process,
    clip: p.clip_denoised ?? false,
    eta: p.eta ?? 0,
    variance: p.model_var_type === "FIXED_SMALL" ? "fixed-small" : "fixed-large",
    noise: (at) => tensorOf(noise![process.T - 1 - at]!),
  });
  x.dispose();
  return { states };
}

function mixture({ params, inputs }: GoldenCase): Record<string, unknown> {
  const { guidance_scale } = params as unknown as Params;
  return { eps: values(classifierFree(tensorOf(inputs.eps_cond), tensorOf(inputs.eps_uncond), guidance_scale!)) };
}

/** In continuous time: sigma of the VP process whose betas the case names. */
function continuous(golden: GoldenCase): Record<string, unknown> {
  const { schedule, guidance_scale } = golden.params as unknown as Params;
  const { x, t, eps } = golden.inputs as { x: Nested[]; t: number[]; eps: Nested[] };
  const [, betaMin, betaMax] = /beta ([\d.]*\d)\.\.([\d.]+)/.exec(schedule)!;
  const process = vp.create({ betaMin: Number(betaMin), betaMax: Number(betaMax) });
  return {
    eps: x.map((one, i) => {
      const gradient = gradientOf(golden, i, () => t[i]!, guidance_scale!)(tensorOf([one]), 0);
      return values(conditionEps(tensorOf([eps[i]!]), gradient, process.level(t[i]!).sigma));
    }),
  };
}
