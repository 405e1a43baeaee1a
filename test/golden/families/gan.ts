// GANs: losses with their gradients, penalties of a critic, spectral norms, and the coverage of a grid of Gaussians.

import * as tf from "@tensorflow/tfjs-core";
import { centreOf } from "../../../shared/data/sources/gaussian-grid.ts";
import { coverageOf, gridCentres } from "../../../shared/eval/coverage.ts";
import { spectralNorm } from "../../../shared/nn/spectral-norm.ts";
import {
  between,
  type Critic,
  gradientPenalty,
  r1,
  slopeOf,
} from "../../../shared/objectives/adversarial/penalties.ts";
import { type ObjectiveName, objectiveKind } from "../../../shared/objectives/index.ts";
import { flat, type Nested, tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

interface Params {
  readonly loss?: string;
  readonly lam?: number;
  readonly gamma?: number;
  readonly iterations?: number;
  readonly grid: number;
  readonly spacing: number;
  readonly std: number;
  readonly threshold_std: number;
}

export const gan: GoldenFamily = {
  name: "gan",
  float32: ({ inputs }) => inputs.samples === undefined,
  run(golden) {
    const params = golden.params as unknown as Params;
    if (params.loss !== undefined) return loss(golden, params.loss);
    if (golden.inputs.samples) return coverage(golden, params);
    return tf.tidy(() => (golden.inputs.W ? spectral(golden, params) : penalty(golden, params)) as never) as Record<
      string,
      unknown
    >;
  },
};

const numbers = (tensor: tf.Tensor): number[] => [...tensor.dataSync()];

/** "<loss>_<player>", and behind it the target of real images where it is smoothed. */
const NAMES: Readonly<Record<string, ObjectiveName>> = {
  nonsat: "non-saturating",
  saturating: "minimax",
  hinge: "hinge",
  lsgan: "least-squares",
  wgan: "wasserstein",
};

async function loss({ inputs }: GoldenCase, named: string): Promise<Record<string, unknown>> {
  const [, name, player, target = "1"] = /^([a-z]+)_(d|g|critic)(?:_label_smooth([\d.]+))?$/.exec(named)!;
  const kind = objectiveKind(NAMES[name!]!);
  if (kind.asks !== "players") throw new Error(`${named} is no loss of two players`);
  const { discriminator, generator } = await kind.load();
  const of = (real: tf.Tensor, fake: tf.Tensor): tf.Scalar =>
    player === "g" ? generator(fake) : discriminator(real, fake, 1 - Number(target));
  return tf.tidy(() => {
    const [real, fake] = [tensorOf(inputs.logits_real), tensorOf(inputs.logits_fake)];
    // What a loss does not read has no gradient.
    const { value, grads } = tf.valueAndGrads((a, b) => tf.add(of(a!, b!), tf.mul(tf.sum(a!), 0)) as tf.Scalar)([
      real,
      fake,
    ]);
    return { loss: value.dataSync()[0], grad_real: numbers(grads[0]!), grad_fake: numbers(grads[1]!) } as never;
  }) as Record<string, unknown>;
}

function penalty({ inputs }: GoldenCase, { lam, gamma }: Params): Record<string, unknown> {
  const [W1, b1] = [tensorOf(inputs.W1) as tf.Tensor2D, tensorOf(inputs.b1)];
  const w2 = tf.reshape(tensorOf(inputs.w2), [-1, 1]) as tf.Tensor2D;
  const critic: Critic = (x) =>
    tf.reshape(tf.matMul(tf.tanh(tf.add(tf.matMul(x as tf.Tensor2D, W1), b1)) as tf.Tensor2D, w2), [-1]);
  const real = tensorOf(inputs.x_real);
  if (gamma !== undefined) return { penalty: numbers(r1(critic, real, gamma))[0] };
  const [fake, u] = [tensorOf(inputs.x_fake), tf.reshape(tensorOf(inputs.u), [-1, 1])];
  return {
    gradient: numbers(slopeOf(critic, between(real, fake, u))),
    penalty: numbers(gradientPenalty(critic, real, fake, u, lam!))[0],
  };
}

/** The norm itself is the iteration's limit. */
function spectral({ inputs }: GoldenCase, { iterations }: Params): Record<string, unknown> {
  const [W, u] = [tensorOf(inputs.W) as tf.Tensor2D, tensorOf(inputs.u0) as tf.Tensor1D];
  const sigma = (n: number) => numbers(spectralNorm(W, u, n))[0];
  return { sigma: sigma(iterations!), true_sigma_max: sigma(500) };
}

function coverage({ inputs }: GoldenCase, { grid, spacing, std, threshold_std }: Params): Record<string, unknown> {
  const centres = gridCentres(grid, (i) => centreOf(i, { side: grid, spacing }));
  const found = coverageOf({ values: flat(inputs.samples as Nested), d: 2 }, { centres, std, within: threshold_std });
  return {
    modes_covered: found.modes,
    high_quality_fraction: found.highQuality,
    counts: found.counts,
    kl_to_uniform_nats: found.klToUniform,
  };
}
