// A variational autoencoder (Kingma and Welling 2014): q(z | x) and p(x | z) are convolutional networks, z a small image of Gaussians.
// It is diffusers' AutoencoderKL, with twice the image's channels at its end: of each value a mean and the logarithm of a scale, which
// make of a byte a discretized logistic variable. Beside that form, where there are classes, an embedding of theirs.

import * as tf from "@tensorflow/tfjs-core";
import { normalKl } from "../diffusion/likelihood.ts";
import { createScope } from "../nn/layers.ts";
import { discretizedLogistic, standardNormal, sumFlat } from "../nn/log-likelihood.ts";
import type { Density, Evidence, Forward, Network } from "../nn/network.ts";
import { forwardOf } from "./at-once.ts";
import { type ImageShape, type NetworkFields, sideOf } from "./of-job.ts";
import { declareCoder, halves, type Told, type VaeConfig } from "./vae-parts.ts";

type T4 = tf.Tensor4D;

/** q(z | x), float32 [B, h, w, latentChannels] each. */
interface Posterior {
  readonly mean: T4;
  readonly logVariance: T4;
}

interface Vae extends Network {
  readonly density: Density;
  encode(f: Forward, x: T4, y: tf.Tensor1D | null): Posterior;
  /** z as [B, h, w, latentChannels]. @returns mean and log scale of each value of x. */
  decode(f: Forward, z: T4, y: tf.Tensor1D | null): readonly [mean: T4, logScale: T4];
}

/** As diffusers' DiagonalGaussianDistribution has it. */
const LOG_VARIANCE = [-30, 20] as const;
/** As Salimans et al. 2017 have it; its scale is an eighth of a bin. */
const LEAST_LOG_SCALE = -7;

export function buildVae(config: VaeConfig): Vae {
  const { latentChannels } = config;
  const scope = createScope();
  const coder = declareCoder(scope, config, { encoded: 2 * latentChannels, coded: latentChannels });
  const { tell, map } = coder;
  const posterior = (f: Forward, x: T4, told: Told): Posterior => {
    const [mean, logVariance] = halves(coder.encode(f, x, told));
    return { mean, logVariance: tf.clipByValue(logVariance, ...LOG_VARIANCE) };
  };
  const decoded = (f: Forward, z: T4, told: Told): readonly [T4, T4] => {
    const [mean, logScale] = coder.decode(f, z, told);
    return [mean, tf.maximum(logScale, LEAST_LOG_SCALE)];
  };

  const latent = map[0] * map[1] * latentChannels;
  const asMap = (flat: tf.Tensor2D): T4 => tf.reshape(flat, [-1, ...map, latentChannels]);
  const generate: Density["generate"] = (f, z, y) => decoded(f, asMap(z), tell(f, y)[1]!)[0];
  const evidence: Density["evidence"] = (f, x, y, noise): Evidence => {
    const [toEncoder, toDecoder] = tell(f, y);
    const q = posterior(f, x, toEncoder!);
    const eps = asMap(noise);
    // The reparameterization trick: Kingma and Welling 2014, Section 2.4.
    const z = tf.add(q.mean, tf.mul(tf.exp(tf.mul(q.logVariance, 0.5)), eps)) as T4;
    const distortion = tf.neg(sumFlat(discretizedLogistic(x, ...decoded(f, z, toDecoder!))));
    const logQ = tf.sub(standardNormal(eps), tf.mul(sumFlat(q.logVariance), 0.5));
    return {
      distortion,
      rate: sumFlat(normalKl(q, { mean: 0, logVariance: 0 })),
      logWeight: tf.sub(tf.sub(standardNormal(z), logQ), distortion),
    };
  };
  return {
    params: scope.params,
    density: {
      ...{ latent, generate, noise: { of: "normals", size: latent }, evidence },
      encode: (f, x, y) => tf.reshape(posterior(f, x, tell(f, y)[0]!).mean, [-1, latent]),
    },
    forward: forwardOf(latent, generate),
    encode: (f, x, y) => posterior(f, x, tell(f, y)[0]!),
    decode: (f, z, y) => decoded(f, z, tell(f, y)[1]!),
  };
}

export function vaeConfig(fields: NetworkFields, { height, width, channels }: ImageShape): VaeConfig {
  const { data, model, autoencoder } = fields;
  const { patch } = data;
  return {
    height: height / patch,
    width: width / patch,
    channels: channels * patch * patch,
    latentChannels: autoencoder.latentChannels,
    widths: model.channelMult.map((mult) => model.channels * mult),
    resBlocks: model.resBlocks,
    attentionLevels: model.channelMult.flatMap((_, level) =>
      model.attention.includes(sideOf(fields, level)) ? [level] : [],
    ),
    groups: model.groups,
    dropout: model.dropout,
    classes: model.classes,
  };
}

export const vaeOf = (fields: NetworkFields, image: ImageShape): Network => buildVae(vaeConfig(fields, image));
