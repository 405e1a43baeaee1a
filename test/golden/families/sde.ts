// VP, sub-VP and VE: marginals, drifts, steps, the reverse of both, priors, what networks are told, and losses.

import * as tf from "@tensorflow/tfjs-core";
import { denoisingOf } from "../../../shared/diffusion/denoising.ts";
import { scoreReading } from "../../../shared/diffusion/parameterization.ts";
import { at } from "../../../shared/diffusion/prediction.ts";
import type { Discretization, LinearNoise, NoiseProcess } from "../../../shared/diffusion/processes/process.ts";
import { squaredError } from "../../../shared/objectives/simple.ts";
import { priorLogDensity } from "../../../shared/samplers/sde/likelihood.ts";
import { reverseDrift } from "../../../shared/samplers/sde/reverse.ts";
import { tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { parameterizationFor, type SdeParams, sdeOf } from "../sde.ts";

interface Params extends SdeParams {
  readonly probability_flow?: boolean;
  readonly continuous?: boolean;
  readonly reduce_mean?: boolean;
  readonly likelihood_weighting?: boolean;
  readonly eps?: number;
}

type Outputs = Record<string, unknown>;

export const sde: GoldenFamily = {
  name: "sde",
  float32: () => true,
  run: (golden) => {
    tf.engine().startScope();
    try {
      const { expected } = golden;
      if (expected.loss !== undefined) return { loss: loss(golden) };
      if (expected.network_labels) return networkScore(golden);
      if (golden.inputs.indices) return discreteArrays(golden);
      return equations(golden);
    } finally {
      tf.engine().endScope();
    }
  },
};

const values = (tensor: tf.Tensor): number[] => [...tensor.dataSync()];

function equations({ params, inputs, expected }: GoldenCase): Outputs {
  const p = params as unknown as Params;
  const process = sdeOf(p);
  const { sde } = process;
  if (expected.logp_nats) return { logp_nats: values(priorLogDensity(sde, tensorOf(inputs.z))) };
  const x = tensorOf(inputs.x);
  const t = inputs.t as number[];
  if (expected.std)
    return {
      mean: values(
        tf.mul(
          x,
          at((time: number) => process.level(time).alpha, t),
        ),
      ),
      std: t.map((time) => process.level(time).sigma),
    };
  const flow = p.probability_flow ?? false;
  const drift = (noise: LinearNoise) =>
    values(inputs.score ? reverseDrift(noise, x, tensorOf(inputs.score), t, flow) : tf.mul(x, at(noise.drift, t)));
  const diffusion = (noise: LinearNoise) => t.map((time) => (flow ? 0 : noise.diffusion(time)));
  const steps = sde.discrete(p.N);
  const [f, G] = [drift(steps), diffusion(steps)];
  return { drift: drift(sde), diffusion: diffusion(sde), f, G, rev_f: f, rev_G: G };
}

function discreteArrays({ params, inputs }: GoldenCase): Outputs {
  const p = params as unknown as Params;
  const { levels } = networkOf(p);
  const indices = inputs.indices as number[];
  if (p.sde === "ve") return { discrete_sigmas: indices.map((i) => levels[p.N - 1 - i]!.sigma) };
  const alphaBar = (i: number) => (i < 0 ? 1 : levels[i]!.alpha ** 2);
  return {
    discrete_betas: indices.map((i) => 1 - alphaBar(i) / alphaBar(i - 1)),
    alphas_cumprod: indices.map(alphaBar),
    sqrt_1m_alphas_cumprod: indices.map((i) => levels[i]!.sigma),
  };
}

const networkOf = (p: Params): NonNullable<Discretization["network"]> => sdeOf(p).sde.discrete(p.N).network!;

/** The process as a network knows it that was trained at its N steps only: time is what it is told. */
function discreteProcess(p: Params): Pick<NoiseProcess, "level"> {
  const { levels } = networkOf(p);
  return { level: (label) => levels[Math.trunc(label)]! };
}

function networkScore({ params, inputs }: GoldenCase): Outputs {
  const p = params as unknown as Params;
  const process = sdeOf(p);
  const discrete = p.continuous ? undefined : process.sde.discrete(p.N).network;
  const labels = (inputs.t as number[]).map((discrete ?? process).label);
  const level = (i: number) =>
    discrete ? discreteProcess(p).level(labels[i]!) : process.level((inputs.t as number[])[i]!);
  const readings = labels.map((_, i) => scoreReading(level(i), parameterizationFor(p).reading(level(i))));
  const rows = labels.map((_, i) => i);
  const term = (key: string, of: "skip" | "out") =>
    tf.mul(
      tensorOf(inputs[key]),
      at((i: number) => readings[i]![of], rows),
    );
  return { network_labels: labels, score: values(tf.add(term("x", "skip"), term("network_output", "out"))) };
}

/** A mean over elements, as training has it; "reduce_mean: false" asks for half the sum over an image's. */
function loss({ params, inputs }: GoldenCase): number {
  const p = params as unknown as Params;
  const { eps = 1e-5 } = p;
  const labels = inputs.labels as number[] | undefined;
  const t = labels ?? (inputs.u as number[]).map((u) => u * (1 - eps) + eps);
  const weighting = p.likelihood_weighting ? "likelihood" : "simple";
  const denoising = denoisingOf(labels ? discreteProcess(p) : sdeOf(p), parameterizationFor(p), weighting);
  const [x0, noise, output] = ["batch", "noise", "network_output"].map((key) => tensorOf(inputs[key]));
  const asked = { target: denoising.targetOf(x0!, noise!, t), weight: denoising.weight(t) };
  const mean = values(tf.mean(squaredError(asked, output!)))[0]!;
  return p.reduce_mean ? mean : (mean * x0!.size) / x0!.shape[0]! / 2;
}
