// Terms of the variational bound, training losses with their gradients, the whole bound on analytic models, and the
// importance of time steps.

import * as tf from "@tensorflow/tfjs-core";
import { pMeanVariance, qSample } from "../../../shared/diffusion/gaussian.ts";
import { emptyHistory, lossMultipliers, timestepWeights, withLosses } from "../../../shared/diffusion/importance.ts";
import {
  approxStandardNormalCdf,
  discretizedGaussianLogLikelihood,
  normalKl,
  priorTerm,
  vlbTerm,
} from "../../../shared/diffusion/likelihood.ts";
import { isLearned, targetOf } from "../../../shared/diffusion/prediction.ts";
import type { Process } from "../../../shared/diffusion/process.ts";
import { variationalBound } from "../../../shared/eval/bound.ts";
import { OBJECTIVES, type ObjectiveName } from "../../../shared/objectives/index.ts";
import type { Asked } from "../../../shared/objectives/objective.ts";
import { flat, type Nested, shapeOf, tensorOf } from "../arrays.ts";
import {
  type AnalyticNetwork,
  analyticSteps,
  type ProcessParams,
  processFor,
  readOutput,
  readsOf,
  varianceType,
} from "../diffusion.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

interface Params extends ProcessParams, AnalyticNetwork {
  readonly clip_denoised?: boolean;
  readonly loss_type?: keyof typeof OBJECTIVE_OF;
  readonly history_per_term?: number;
  readonly uniform_prob?: number;
}

/** guided-diffusion's loss types; MSE becomes the hybrid objective where the variance is learned. */
const OBJECTIVE_OF = {
  MSE: "simple",
  RESCALED_MSE: "simple",
  KL: "vlb",
  RESCALED_KL: "rescaled-vlb",
} satisfies Record<string, ObjectiveName>;

export const lossesVlb: GoldenFamily = {
  name: "losses_vlb",
  float32: ({ inputs }) => inputs.ts === undefined,
  async run(golden) {
    if (golden.inputs.ts) return resampler(golden);
    if (golden.params.loss_type) return trainingLoss(golden);
    if (golden.params.model) return bound(golden);
    return tf.tidy(() => readAll(golden.params.schedule ? terms(golden) : elementwise(golden)) as never);
  },
};

const readAll = (outputs: Readonly<Record<string, tf.Tensor>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, [...value.dataSync()]]));

/** x_uint8 / 127.5 - 1, rounded to float32 once. */
const imagesOf = (inputs: GoldenCase["inputs"]): tf.Tensor => {
  const pixels = inputs.x_uint8 as Nested;
  return tf.tensor(
    flat(pixels).map((k) => k / 127.5 - 1),
    shapeOf(pixels),
  );
};

function elementwise({ inputs }: GoldenCase): Record<string, tf.Tensor> {
  const input = (key: string) => tensorOf(inputs[key]);
  if (inputs.mean1) {
    const moments = (k: 1 | 2) => ({ mean: input(`mean${k}`), logVariance: input(`logvar${k}`) });
    return { kl_nats: normalKl(moments(1), moments(2)) };
  }
  if (inputs.x) return { cdf: approxStandardNormalCdf(input("x")) };
  const nats = discretizedGaussianLogLikelihood(imagesOf(inputs), input("means"), input("log_scales"));
  return { log_likelihood_nats: nats };
}

function askedOf(process: Process, p: Params, inputs: GoldenCase["inputs"]): Asked {
  const [x0, t, eps] = [imagesOf(inputs), inputs.t as number[], tensorOf(inputs.noise)];
  const x_t = qSample(process, x0, t, eps);
  const target = targetOf(process, readsOf(p).predict, x0, t, eps);
  const none = () => tf.tensor1d([], "int32");
  return { x0, t, x_t, target, read: (output) => readOutput(process, p, x_t, t, output), labels: none };
}

function terms({ params, inputs }: GoldenCase): Record<string, tf.Tensor> {
  const p = params as unknown as Params;
  const process = processFor(p);
  if (!inputs.model_output) return { prior_bpd: priorTerm(process, imagesOf(inputs)) };
  const asked = askedOf(process, p, inputs);
  const prediction = asked.read(tensorOf(inputs.model_output));
  const step = pMeanVariance(process, asked.x_t, asked.t, prediction, {
    variance: varianceType(p.model_var_type),
    clip: p.clip_denoised ?? false,
  });
  return { vb_bits_per_dim: vlbTerm(process, asked, step), pred_xstart: step.x0 };
}

async function trainingLoss({ params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Params;
  const process = processFor(p);
  const { variance } = readsOf(p);
  const plain = OBJECTIVE_OF[p.loss_type!];
  const objective = await OBJECTIVES[plain === "simple" && isLearned(variance) ? "hybrid" : plain].load();
  const vlbWeight = p.loss_type === "RESCALED_MSE" ? 1 / 1000 : 1 / process.T;
  const options = { coefficients: process, variance, vlbWeight };
  const lossOf = (output: tf.Tensor) => objective(askedOf(process, p, inputs), output, options);
  return tf.tidy(() => {
    const output = tensorOf(inputs.model_output);
    const grad_model_output = tf.grad((x) => tf.sum(lossOf(x).loss))(output);
    return readAll({ ...lossOf(output), grad_model_output }) as never;
  });
}

async function bound({ params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Params;
  const process = processFor(p);
  const noise = inputs.noise as Nested[];
  const { total, prior, vb, x0Mse, epsMse } = await variationalBound(
    analyticSteps(p, processFor({ schedule: p.schedule, num_timesteps: p.num_timesteps }), process),
    imagesOf(inputs),
    {
      process,
      clip: p.clip_denoised ?? false,
      variance: p.model_var_type === "FIXED_SMALL" ? "fixed-small" : "fixed-large",
      noise: (step) => tensorOf(noise[process.T - 1 - step]),
    },
  );
  // One row a sample, the steps in the order of the source's visits.
  const visited = (steps: readonly Float32Array[]) =>
    [...prior].map((_, sample) => steps.map((values) => values[sample]!).reverse());
  return {
    total_bpd: total,
    prior_bpd: prior,
    vb: visited(vb),
    xstart_mse: visited(x0Mse),
    mse: visited(epsMse),
  };
}

function resampler({ params, inputs }: GoldenCase): Record<string, unknown> {
  const { num_timesteps, history_per_term, uniform_prob } = params as unknown as Params;
  const fresh = emptyHistory(num_timesteps, history_per_term);
  const weights = timestepWeights(withLosses(fresh, inputs.ts as number[], inputs.losses as number[]), uniform_prob);
  return {
    weights_before_warmup: timestepWeights(fresh, uniform_prob),
    weights,
    loss_multiplier: lossMultipliers(weights),
  };
}
