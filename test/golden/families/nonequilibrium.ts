// Sohl-Dickstein et al. 2015: schedule and basis, one step's objective, steps back, the binomial process, entropies.

import * as tf from "@tensorflow/tfjs-core";
import { qPosterior, qSample } from "../../../shared/diffusion/gaussian.ts";
import { normalKl } from "../../../shared/diffusion/likelihood.ts";
import { binomialMarginal, binomialPosteriorLogit } from "../../../shared/diffusion/nonequilibrium/binomial.ts";
import { excessBits, gaussianEntropies, gaussianEntropy } from "../../../shared/diffusion/nonequilibrium/bound.ts";
import { dequantised, reverseKernel, reverseStep } from "../../../shared/diffusion/nonequilibrium/gaussian.ts";
import {
  binomialBetas,
  drawnStep,
  gaussianBetas,
  temporalBasis,
} from "../../../shared/diffusion/nonequilibrium/schedule.ts";
import { temporalReadout } from "../../../shared/diffusion/nonequilibrium/temporal.ts";
import { processOf } from "../../../shared/diffusion/process.ts";
import { tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

interface Params {
  readonly trajectory_length: number;
  readonly n_temporal_basis: number;
  readonly step1_beta: number;
  readonly uniform_noise: number;
  readonly denoise_sigma?: number | null;
  readonly T: number;
  readonly step_index0: number;
}

export const nonequilibrium: GoldenFamily = {
  name: "nonequilibrium",
  float32: ({ inputs }) => "x0" in inputs || "mu" in inputs,
  run(golden) {
    const { inputs } = golden;
    tf.engine().startScope();
    try {
      if (inputs.network_output) return stepObjective(golden);
      if (inputs.mu) return stepBack(golden);
      if (inputs.x0) return binomial(golden);
      return inputs.beta ? entropies(golden) : schedule(golden);
    } finally {
      tf.engine().endScope();
    }
  },
};

function schedule({ params, inputs }: GoldenCase): Record<string, unknown> {
  const p = params as unknown as Params;
  const betas = gaussianBetas(p.trajectory_length, p.step1_beta);
  const { values, n } = temporalBasis(p.trajectory_length, p.n_temporal_basis);
  const indices = (inputs.indices as number[] | null) ?? Array.from(betas, (_, t) => t);
  return {
    beta: indices.map((t) => betas[t]),
    temporal_basis: indices.map((t) => [...values.subarray(t * n, (t + 1) * n)]),
    beta_full_trajectory: 1 - processOf(betas).alphasCumprod.at(-1)!,
  };
}

function stepObjective({ params, inputs }: GoldenCase): Record<string, unknown> {
  const p = params as unknown as Params;
  const T = p.trajectory_length;
  const process = processOf(gaussianBetas(T, p.step1_beta));
  const t = drawnStep(inputs.t_uniform as number, T);
  const x0 = dequantised(tensorOf(inputs.x0), tensorOf(inputs.dequant_uniform), p.uniform_noise);
  const x_t = qSample(process, x0, t, tensorOf(inputs.noise));
  const output = tensorOf(inputs.network_output);
  const { values, n } = temporalBasis(T, p.n_temporal_basis);
  const basis = tf.tile(tf.tensor2d(Array.from(values.subarray(t * n, (t + 1) * n)), [1, n]), [output.shape[0]!, 1]);
  const [muCoeff, betaCoeff] = temporalReadout(basis, output, 2);
  const q = qPosterior(process, x0, x_t, t);
  const model = reverseKernel(process, x_t, t, muCoeff!, betaCoeff!);
  const bits = excessBits(normalKl(q, model), T, gaussianEntropies(process));
  return {
    t,
    x_noisy: x_t.dataSync(),
    mu_posterior: q.mean.dataSync(),
    sigma_posterior: tf.sqrt(q.variance).dataSync(),
    mu_reverse: model.mean.dataSync(),
    sigma_reverse: tf.sqrt(model.variance).dataSync(),
    objective_bits: tf.mean(bits).dataSync(),
  };
}

function stepBack({ params, inputs }: GoldenCase): Record<string, unknown> {
  const sigma = (params as unknown as Params).denoise_sigma;
  const x = reverseStep(
    { mean: tensorOf(inputs.mu), variance: tf.square(tensorOf(inputs.sigma)) },
    tensorOf(inputs.noise),
    {
      observed: tensorOf(inputs.x_T),
      ...(sigma == null ? {} : { sigma }),
      ...(inputs.mask ? { known: tensorOf(inputs.mask) } : {}),
    },
  );
  return { x: x.dataSync() };
}

function binomial({ params, inputs }: GoldenCase): Record<string, unknown> {
  const { T, step_index0: t } = params as unknown as Params;
  const process = processOf(binomialBetas(T));
  const [x0, x_t] = [tensorOf(inputs.x0), tensorOf(inputs.x_t)];
  return {
    beta: process.betas,
    q_xt_is1_given_x0: binomialMarginal(process, x0, t).dataSync(),
    q_xprev_is1_given_xt_x0: tf.sigmoid(binomialPosteriorLogit(process, x0, x_t, t)).dataSync(),
  };
}

function entropies({ inputs }: GoldenCase): Record<string, unknown> {
  const process = processOf(Float64Array.from(inputs.beta as number[]));
  const { start, end, prior } = gaussianEntropies(process);
  return {
    H_q_x1_given_x0_nats: start,
    H_q_xT_given_x0_nats: end,
    H_prior_nats: prior,
    posterior_entropy_nats: process.posteriorVariance.subarray(1).map(gaussianEntropy),
  };
}
