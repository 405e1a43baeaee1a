// The discrete variational autoencoder of DALL-E (Ramesh et al. 2021, Sec. 2.1 and App. A): an image is a grid of codes, each one of K.
// Its prior is uniform. What is learned of codes goes through their relaxation, Gumbel-softmax (Jang et al. 2017; Maddison et al. 2017);
// what is measured and drawn are codes themselves. B batch, h w grid, N = h w codes, K entries.

import * as tf from "@tensorflow/tfjs-core";
import { createScope } from "../nn/layers.ts";
import { discretizedLogitLaplace, imageOfLogits, sumFlat } from "../nn/log-likelihood.ts";
import type { Codebook, Density, Forward, Network } from "../nn/network.ts";
import { normalQuantile } from "../rng/normal-quantile.ts";
import { forwardOf } from "./at-once.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";
import { vaeConfig } from "./vae.ts";
import { declareCoder, type Told, type VaeConfig } from "./vae-parts.ts";

type T4 = tf.Tensor4D;

/** K. */
type DvaeConfig = VaeConfig & { readonly codes: number };

/** ln b at least and at most: the mass of a byte stays what float32 can tell from 0 and from 1. */
const LOG_B = [-5, 3] as const;

/** Beyond any standard normal. */
const FAR = 100;

/** Uniforms that are not 0 or 1, in float32. */
const INSIDE = [2 ** -32, 1 - 2 ** -24] as const;

export function buildDvae(config: DvaeConfig): Network & { readonly density: Density; readonly codebook: Codebook } {
  const { codes: K } = config;
  const scope = createScope();
  const coder = declareCoder(scope, config, { encoded: K, coded: K });
  const { tell, map } = coder;
  const N = map[0] * map[1];

  const logitsOf = (f: Forward, x: T4, told: Told): tf.Tensor2D => tf.reshape(coder.encode(f, x, told), [-1, K]);
  /** Logits to their likeliest code, float32 of ones and zeros. */
  const likeliest = (logits: tf.Tensor2D): tf.Tensor2D =>
    tf.cast(tf.oneHot(tf.argMax(logits, 1), K), "float32") as tf.Tensor2D;
  const decoded = (f: Forward, z: tf.Tensor, told: Told): readonly [mu: T4, logB: T4] => {
    const [mu, logB] = coder.decode(f, tf.reshape(z, [-1, ...map, K]), told);
    return [mu, tf.clipByValue(logB, ...LOG_B)];
  };
  const image = (f: Forward, z: tf.Tensor, y: tf.Tensor1D | null): T4 =>
    imageOfLogits(decoded(f, z, tell(f, y)[1]!)[0]);
  const row = (values: readonly number[]): tf.Tensor2D => tf.tensor2d([...values], [1, values.length]);

  /** Standard normals as codes: K parts of the line, equally likely, and a number within each. */
  const edges = Array.from({ length: K + 1 }, (_, k) => (k === 0 ? -FAR : k === K ? FAR : normalQuantile(k / K)));
  const middles = Array.from({ length: K }, (_, k) => normalQuantile((k + 0.5) / K));
  const cut = (z: tf.Tensor2D): tf.Tensor => {
    const above = (from: readonly number[]) => tf.cast(tf.greaterEqual(tf.reshape(z, [-1, 1]), row(from)), "float32");
    return tf.sub(above(edges.slice(0, K)), above(edges.slice(1)));
  };

  const evidence: Density["evidence"] = (f, x, y, u, temperature) => {
    const [toEncoder, toDecoder] = tell(f, y);
    const logits = logitsOf(f, x, toEncoder!);
    const logQ = tf.logSoftmax(logits);
    const gumbel = tf.neg(tf.log(tf.neg(tf.log(tf.clipByValue(tf.reshape(u, [-1, K]), ...INSIDE)))));
    const perturbed = tf.add(logits, gumbel) as tf.Tensor2D;
    const z = temperature ? tf.softmax(tf.div(perturbed, temperature())) : likeliest(perturbed);
    const perImage = (terms: tf.Tensor) => sumFlat(tf.reshape(terms, [-1, N * K]));
    const distortion = tf.neg(sumFlat(discretizedLogitLaplace(x, ...decoded(f, z, toDecoder!))));
    return {
      distortion,
      rate: tf.add(perImage(tf.mul(tf.exp(logQ), logQ)), N * Math.log(K)),
      logWeight: tf.neg(tf.add(distortion, tf.add(perImage(tf.mul(z, logQ)), N * Math.log(K)))),
    };
  };
  const generate: Density["generate"] = (f, z, y) => image(f, cut(z), y);
  const most = (f: Forward, x: T4, y: tf.Tensor1D | null) => logitsOf(f, x, tell(f, y)[0]!);
  return {
    params: scope.params,
    density: {
      ...{ latent: N, generate, noise: { of: "uniforms", size: N * K }, evidence },
      encode: (f, x, y) => tf.reshape(tf.sum(tf.mul(likeliest(most(f, x, y)), row(middles)), 1), [-1, N]),
    },
    codebook: {
      ...{ codes: K, side: map[0] },
      encode: (f, x, y) => tf.reshape(tf.argMax(most(f, x, y), 1), [-1, N]),
      decode: (f, codes, y) => image(f, tf.cast(tf.oneHot(tf.reshape(codes, [-1]) as tf.Tensor1D, K), "float32"), y),
    },
    forward: forwardOf(N, generate),
  };
}

export const dvaeOf = (fields: NetworkFields, image: ImageShape): Network =>
  buildDvae({ ...vaeConfig(fields, image), codes: fields.autoencoder.codes });
