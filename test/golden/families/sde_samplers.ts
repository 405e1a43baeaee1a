// Predictors, correctors, whole walks of both with supplied noise, what is known of an image, the probability flow, and likelihoods.

import * as tf from "@tensorflow/tfjs-core";
import type { SdeProcess } from "../../../shared/diffusion/processes/process.ts";
import { bitsPerDim } from "../../../shared/eval/bits-per-dim.ts";
import { CLEAN, colorization, inpainting, type Known } from "../../../shared/samplers/known.ts";
import type { Score } from "../../../shared/samplers/sampler.ts";
import { annealedLangevin, langevin } from "../../../shared/samplers/sde/correctors.ts";
import { decoding } from "../../../shared/samplers/sde/flow.ts";
import { likelihood, withSlope } from "../../../shared/samplers/sde/likelihood.ts";
import { predictorCorrector } from "../../../shared/samplers/sde/predictor-corrector.ts";
import { ancestralSampling, eulerMaruyama, reverseDiffusion } from "../../../shared/samplers/sde/predictors.ts";
import { type MakeRule, none } from "../../../shared/samplers/sde/update.ts";
import { drive } from "../../../shared/samplers/walk.ts";
import { type AnalyticModel, analyticScore } from "../analytic.ts";
import { type Nested, tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { type SdeParams, sdeOf } from "../sde.ts";

interface Params extends SdeParams {
  readonly predictor?: string;
  readonly corrector?: string;
  readonly probability_flow?: boolean;
  readonly snr?: number;
  readonly n_steps?: number;
  readonly denoise?: boolean;
  readonly eps?: number;
  readonly model?: AnalyticModel;
}

type Outputs = Record<string, unknown>;

export const sdeSamplers: GoldenFamily = {
  name: "sde_samplers",
  float32: () => true,
  async run(golden) {
    tf.engine().startScope();
    try {
      return await outputsOf(golden);
    } finally {
      tf.engine().endScope();
    }
  },
};

function outputsOf(golden: GoldenCase): Outputs | Promise<Outputs> {
  const { inputs, expected } = golden;
  if (inputs.t) return singleMove(golden);
  if (expected.bpd) return likelihoods(golden);
  return inputs.z ? flow(golden) : loops(golden);
}

const values = (tensor: tf.Tensor): number[] => [...tensor.dataSync()];

function predictorOf(name: string, flow = false): MakeRule {
  if (name.includes("none")) return none;
  if (name.includes("euler")) return eulerMaruyama;
  if (name.includes("ancestral")) return ancestralSampling;
  return flow ? drawing(reverseDiffusion(true)) : reverseDiffusion();
}

/** score_sde draws at every step, of the flow as well, which has no use for it. */
const drawing =
  (make: MakeRule): MakeRule =>
  (...args) => {
    const rule = make(...args);
    return (state) => {
      state.noise();
      return rule(state);
    };
  };

function correctorOf(name: string, { snr = 0.16, n_steps: steps = 1 }: Params): MakeRule {
  if (name.includes("none")) return none;
  return name.includes("ald") ? annealedLangevin({ snr, steps }) : langevin({ snr, steps, norms: "batch" });
}

/** The case's name says which: "ve_langevin_snr0.16_n1". */
function singleMove({ name, params, inputs }: GoldenCase): Outputs {
  const p = params as unknown as Params;
  const rule = p.n_steps === undefined ? predictorOf(name, p.probability_flow) : correctorOf(name, p);
  const noise = inputs.noise as Nested[];
  let calls = 0;
  const score = (x: tf.Tensor) =>
    inputs.score0 ? tf.sub(tensorOf(inputs.score0), tf.mul(x, 0.5)) : tensorOf(inputs.score);
  const { x, mean } = rule(
    sdeOf(p),
    p.N,
  )({
    x: tensorOf(inputs.x),
    t: inputs.t as number[],
    score,
    noise: () => tensorOf(p.n_steps === undefined ? noise : noise[calls++]),
  });
  return { x: values(x), x_mean: values(mean) };
}

/** Ends at eps, and begins at 1. */
function processOf(p: Params): SdeProcess {
  const process = sdeOf(p);
  return { ...process, span: { min: p.eps ?? process.span.min, max: 1 } };
}

const scoreOf =
  (p: Params, { level }: SdeProcess): Score =>
  (x, t) => {
    const { alpha, sigma } = level(t);
    return analyticScore(p.model!, x, alpha, sigma);
  };

async function flow({ params, inputs }: GoldenCase): Promise<Outputs> {
  const p = params as unknown as Params;
  const process = processOf(p);
  const x = tensorOf(inputs.z);
  const walk = decoding()(scoreOf(p, process), x, process, { steps: p.N, noise: () => tf.scalar(Number.NaN) });
  return { sample: values(await drive(walk, x, 1)) };
}

async function loops(golden: GoldenCase): Promise<Outputs> {
  const p = golden.params as unknown as Params;
  if (!golden.inputs.data) return { sample: values(await loop(golden, p.denoise ?? true)) };
  const [noisy, mean] = [await loop(golden, false), await loop(golden, true)];
  // score_sde's own end keeps the last noise where nothing is known.
  const { span, level } = processOf(p);
  const sample = tf.tidy(() => knownIn(golden).keep(noisy, level(span.min)));
  return { sample_repo: values(sample), sample_denoised: values(mean) };
}

const knownIn = ({ inputs }: GoldenCase) =>
  inputs.mask ? inpainting(tensorOf(inputs.data), tensorOf(inputs.mask)) : colorization(tensorOf(inputs.data));

/** score_sde's beginning: what is known without noise. It masks the prior's own channels, and not those of the grey basis. */
function beginning({ keep }: Known, { inputs }: GoldenCase, prior: tf.Tensor): tf.Tensor {
  if (inputs.mask) return keep(prior, CLEAN);
  return tf.add(keep(tf.zerosLike(prior), CLEAN), tf.mul(prior, tf.tensor1d([0, 1, 1])));
}

async function loop(golden: GoldenCase, denoise: boolean): Promise<tf.Tensor> {
  const p = golden.params as unknown as Params;
  const process = processOf(p);
  const noise = golden.inputs.noise as Nested[];
  const known = golden.inputs.data ? knownIn(golden) : null;
  const walk = predictorCorrector({
    predictor: predictorOf(p.predictor!, p.probability_flow),
    corrector: correctorOf(p.corrector!, p),
    denoise,
  });
  const prior = tf.mul(tensorOf(golden.inputs.prior_normal), process.sde.prior);
  const x = known ? beginning(known, golden, prior) : prior;
  const options = { steps: p.N, noise: (call: number) => tensorOf(noise[call]), ...(known && { known }) };
  return drive(walk(scoreOf(p, process), x, process, options), x, p.N);
}

/** Without an epsilon the Jacobian is diagonal, and any of -1 and 1 does. */
async function likelihoods({ params, inputs }: GoldenCase): Promise<Outputs> {
  const p = params as unknown as Params;
  const process = processOf({ eps: 1e-5, ...p });
  const data = tensorOf(inputs.data);
  const epsilon = inputs.hutchinson_epsilon ? tensorOf(inputs.hutchinson_epsilon) : tf.onesLike(data);
  const { z, priorLogDensity, change } = await likelihood(
    withSlope(scoreOf(p, process), epsilon),
    process,
    data,
    epsilon,
  );
  const D = data.size / data.shape[0]!;
  return {
    z: values(z),
    prior_logp_nats: priorLogDensity,
    delta_logp_nats: change,
    bpd: [...change].map((delta, i) => bitsPerDim(delta + priorLogDensity[i]!, D, 256)),
  };
}
