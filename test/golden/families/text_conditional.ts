// Imagen's process in continuous time, its thresholds and guidance, unCLIP's prior, and what both do to the images and
// embeddings that they are told.

import * as tf from "@tensorflow/tfjs-core";
import { gaussianBlur } from "../../../shared/data/blur.ts";
import { augmentationLevel } from "../../../shared/diffusion/augmentation.ts";
import { ofLength } from "../../../shared/diffusion/embeddings.ts";
import { pMeanVariance, qPosterior, qSample, type StepBackOptions } from "../../../shared/diffusion/gaussian.ts";
import { LOG_SNR } from "../../../shared/diffusion/log-snr.ts";
import type { Level } from "../../../shared/diffusion/parameterization.ts";
import { interpret, type PredictionType, targetOf, toX0 } from "../../../shared/diffusion/prediction.ts";
import { type Coefficients, coefficientsBetween, createProcess } from "../../../shared/diffusion/process.ts";
import { dynamicThreshold } from "../../../shared/diffusion/threshold.ts";
import { slerp } from "../../../shared/editing/interpolation.ts";
import { bestOf } from "../../../shared/guidance/best-of.ts";
import { classifierFree } from "../../../shared/guidance/classifier-free.ts";
import { contrastive } from "../../../shared/objectives/contrastive.ts";
import { simple } from "../../../shared/objectives/simple.ts";
import { augmented } from "../../../shared/pipeline/low-res.ts";
import { flat, type Nested, shapeOf, tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

interface Params {
  readonly noise_schedule?: keyof typeof LOG_SNR;
  readonly beta_schedule?: string;
  readonly timesteps: number;
  readonly pred_objective?: keyof typeof PREDICTS;
  readonly predict?: keyof typeof PREDICTS;
  readonly dynamic_threshold?: boolean;
  readonly percentile?: number;
  readonly sampling_clamp_l2norm?: boolean;
  readonly image_embed_scale?: number;
  readonly clip_denoised?: boolean;
  readonly cond_scale?: number;
  readonly lowres_sample_noise_level?: number;
  readonly logit_scale_log?: number;
  readonly kernel?: number;
  readonly sigma?: number;
}

const PREDICTS = { noise: "eps", x_start: "x0", v: "v" } satisfies Record<string, PredictionType>;

type Outputs = Record<string, unknown>;
type Serve = (golden: GoldenCase, params: Params) => Outputs;

export const textConditional: GoldenFamily = {
  name: "text_conditional",
  float32: ({ name }) => !/scheduler|log_snr/.test(name),
  run(golden) {
    const [, serve] = SERVED.find(([name]) => golden.name.startsWith(name))!;
    return tf.tidy(() => read(serve(golden, golden.params as unknown as Params)) as never) as unknown as Outputs;
  },
};

const read = (outputs: Outputs): Outputs =>
  Object.fromEntries(
    Object.entries(outputs).map(([key, value]) => [key, value instanceof tf.Tensor ? [...value.dataSync()] : value]),
  );

const logSnr = ({ alpha, sigma }: Level): number => 2 * Math.log(alpha / sigma);

const timesOf = ({ inputs }: GoldenCase) => inputs.t as number[];

function levels(golden: GoldenCase, { noise_schedule }: Params): Outputs {
  const all = timesOf(golden).map(LOG_SNR[noise_schedule!].level);
  return {
    log_snr: all.map(logSnr),
    alpha: all.map(({ alpha }) => alpha),
    sigma: all.map(({ sigma }) => sigma),
  };
}

/** Step i goes from the time of sample i to the one that is 1 / timesteps before it. */
function stepsOf(golden: GoldenCase, { noise_schedule, timesteps }: Params): Coefficients {
  const abar = (t: number): number => LOG_SNR[noise_schedule!].level(t).alpha ** 2;
  const t = timesOf(golden);
  return coefficientsBetween(
    Float64Array.from(t, abar),
    Float64Array.from(t, (each) => abar(Math.max(0, each - 1 / timesteps))),
  );
}

function continuous(golden: GoldenCase, params: Params): Outputs {
  const { name, inputs } = golden;
  const input = (key: string) => tensorOf(inputs[key]);
  const c = stepsOf(golden, params);
  const t = timesOf(golden).map((_, i) => i);
  if (name.includes("q_sample")) return { x_t: qSample(c, input("x_start"), t, input("noise")) };
  if (name.includes("v_target")) return { v: targetOf(c, "v", input("x_start"), t, input("noise")) };
  if (name.includes("from_v")) return { x_start: toX0(c, "v", input("x_t"), t, input("v")) };
  if (name.includes("q_posterior")) {
    const { mean, variance, logVariance } = qPosterior(c, input("x_start"), input("x_t"), t);
    return { mean, variance, log_variance_clipped: logVariance };
  }
  const { pred_objective, dynamic_threshold, percentile } = params;
  const threshold = (x0: tf.Tensor) => dynamicThreshold(x0, { quantile: percentile!, least: 1 });
  return stepBack(c, PREDICTS[pred_objective!], [input("x_t"), input("model_output")], t, {
    clip: !dynamic_threshold,
    ...(dynamic_threshold && { transform: threshold }),
  });
}

function stepBack(
  c: Coefficients,
  predict: PredictionType,
  [x_t, output]: readonly [tf.Tensor, tf.Tensor],
  t: number[],
  options: Omit<StepBackOptions, "variance">,
): Outputs {
  const fixed = { variance: "fixed-small" } as const;
  const prediction = interpret(c, { predict, ...fixed }, x_t, t, output);
  const { mean, variance, x0 } = pMeanVariance(c, x_t, t, prediction, { ...fixed, ...options });
  return { mean, variance, x_start: x0 };
}

function augmentation({ inputs }: GoldenCase, { lowres_sample_noise_level }: Params): Outputs {
  const [small, eps] = [inputs.lowres_image, inputs.noise].map((each) => Float32Array.from(flat(each as Nested)));
  const s = new Float64Array((inputs.lowres_image as Nested[]).length).fill(lowres_sample_noise_level!);
  return {
    lowres_noised: augmented(small!, s, eps!),
    aug_condition: [...s].map((each) => logSnr(augmentationLevel(each))),
  };
}

const guided: Serve = ({ inputs }, { cond_scale }) => ({
  out: classifierFree(tensorOf(inputs.cond), tensorOf(inputs.uncond), cond_scale!),
});

// unCLIP's prior: embeddings are images of one pixel.

const priorOf = ({ beta_schedule, timesteps }: Params): Coefficients =>
  coefficientsBetween(createProcess({ schedule: beta_schedule!, timesteps }).alphasCumprod);

const embeddings = (nested: unknown): tf.Tensor => {
  const rows = tensorOf(nested);
  return tf.reshape(rows, [rows.shape[0]!, 1, 1, -1]);
};

const scheduler: Serve = (_, params) => {
  const c = priorOf(params);
  return {
    betas: c.betas,
    alphas_cumprod: c.alphasCumprod,
    posterior_variance: c.posteriorVariance,
    posterior_log_variance_clipped: c.posteriorLogVarianceClipped,
    posterior_mean_coef1: c.posteriorMeanCoef1,
    posterior_mean_coef2: c.posteriorMeanCoef2,
  };
};

function priorStep(golden: GoldenCase, params: Params): Outputs {
  const { predict, sampling_clamp_l2norm, image_embed_scale, clip_denoised } = params;
  const [x_t, output] = [embeddings(golden.inputs.x_t), embeddings(golden.inputs.network_output)];
  return stepBack(priorOf(params), PREDICTS[predict!], [x_t, output], timesOf(golden), {
    clip: clip_denoised ?? false,
    ...(sampling_clamp_l2norm && { transform: ofLength(image_embed_scale!) }),
  });
}

function priorLoss(golden: GoldenCase, params: Params): Outputs {
  const { inputs } = golden;
  const [x0, eps, output] = [inputs.image_embed, inputs.noise, inputs.network_output].map(embeddings) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const [c, t, predict] = [priorOf(params), timesOf(golden), PREDICTS[params.predict!]];
  const x_t = qSample(c, x0, t, eps);
  const asked = {
    ...{ x0, t, x_t, target: targetOf(c, predict, x0, t, eps) },
    read: (F: tf.Tensor) => ({ x0: toX0(c, predict, x_t, t, F) }),
    labels: () => tf.tensor1d([], "int32"),
  };
  const { loss } = simple(asked, output, { coefficients: c, variance: "fixed-small", vlbWeight: 0 });
  return { loss: tf.mean(loss), x_t };
}

const best: Serve = ({ inputs }) => ({ ...bestOf(tensorOf(inputs.text_embed), tensorOf(inputs.image_embeds)) });

const interpolated: Serve = ({ inputs }) => {
  const [a, b] = [inputs.z1, inputs.z2].map((z) => Float32Array.from(flat(z as Nested)));
  return { out: (inputs.alpha as number[]).map((share) => [...slerp(a!, b!, share)]) };
};

const contrasted: Serve = ({ inputs }, { logit_scale_log }) => {
  const { logits, loss } = contrastive(
    tensorOf(inputs.image_features),
    tensorOf(inputs.text_features),
    logit_scale_log!,
  );
  return { logits_per_image: logits, loss };
};

const blurred: Serve = ({ inputs }, { kernel, sigma }) => {
  const image = inputs.image as Nested;
  const [, height, width, channels] = shapeOf(image) as [number, number, number, number];
  const options = { kernel: kernel!, sigma: sigma! };
  return { blurred: gaussianBlur(Float32Array.from(flat(image)), { height, width, channels }, options) };
};

/** By the beginning of a case's name. */
const SERVED: readonly (readonly [string, Serve])[] = [
  ["imagen_log_snr", levels],
  ["imagen_cfg", guided],
  ["imagen_", continuous],
  ["noise_conditioning_augmentation", augmentation],
  ["unclip_prior_scheduler", scheduler],
  ["unclip_prior_p_mean_variance", priorStep],
  ["unclip_prior_loss", priorLoss],
  ["unclip_prior_best", best],
  ["slerp", interpolated],
  ["clip_contrastive", contrasted],
  ["gaussian_blur", blurred],
];
