// A normalizing flow: the multi-scale architecture of RealNVP (Dinh et al. 2017, Section 3.6) of Glow's steps (Kingma and Dhariwal 2018,
// Fig. 2). What a density of real numbers says of bytes is said of them with uniform noise in place of what bytes do not say
// (Theis et al. 2016): x = (k + u) / 128 - 1.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import { createScope, embedding, type Scope } from "../nn/layers.ts";
import { standardNormal } from "../nn/log-likelihood.ts";
import type { Density, Forward, Network } from "../nn/network.ts";
import { forwardOf, given } from "./at-once.ts";
import { coupling, mixing, type Step, squeeze, type Told, unsqueeze } from "./flow-steps.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

type T4 = tf.Tensor4D;

export interface FlowConfig {
  /** Of images as the network sees them. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Channels of the networks in the couplings of each level, the finest first. */
  readonly hidden: readonly number[];
  /** K: steps of a level. */
  readonly steps: number;
  readonly classes: number;
}

/** x in [-1, 1), float32 [B, H, W, C], and z, float32 [B, H W C]. */
interface Flow extends Network {
  readonly density: Density;
  /** @returns z, and log |det dz / dx|, float32 [B]. */
  encode(f: Forward, x: T4, y: tf.Tensor1D | null): { readonly z: tf.Tensor2D; readonly logDet: tf.Tensor };
  /** The inverse of encode. */
  decode(f: Forward, z: tf.Tensor2D, y: tf.Tensor1D | null): T4;
}

interface Level {
  readonly steps: readonly Step[];
  /** Its feature map. */
  readonly map: readonly [height: number, width: number, channels: number];
  /** How many of its channels are z; the others go on to the next level. */
  readonly out: number;
}

/** Numbers that tell the class. */
const TOLD = 32;

const sizeOf = ([h, w]: Level["map"], channels: number): number => h * w * channels;

function declareLevels(scope: Scope, { height, width, channels, hidden, steps }: FlowConfig, told: number): Level[] {
  let C = channels;
  return hidden.map((units, k) => {
    if (k > 0) C *= 4;
    const map = [height / 2 ** k, width / 2 ** k, C] as const;
    const pixels = map[0] * map[1];
    const own = Array.from({ length: steps }, (_, i) => {
      const here = scope.child(`levels.${k}.steps.${i}`);
      const options = { channels: map[2], hidden: units, kernel: pixels === 1 ? 1 : 3, told } as const;
      return [mixing(here, map[2], pixels), coupling(here.child("coupling"), options)];
    });
    const out = k === hidden.length - 1 ? C : Math.floor(C / 2);
    C -= out;
    return { steps: own.flat(), map, out };
  });
}

/** @returns z of all levels, the finest first, and log |det dz / dx|. */
function encodeBy(levels: readonly Level[], f: Forward, x: T4, told: Told) {
  const found: tf.Tensor[] = [];
  const terms: tf.Tensor[] = [];
  let h = x;
  levels.forEach(({ steps, map, out }, k) => {
    if (k > 0) h = squeeze(h);
    for (const step of steps) {
      const { y, logDet } = step.forward(f, h, told);
      terms.push(logDet);
      h = y;
    }
    const [z, rest] = (out < map[2] ? tf.split(h, [out, map[2] - out], 3) : [h, h]) as [T4, T4];
    found.push(tf.reshape(z, [-1, sizeOf(map, out)]));
    h = rest;
  });
  return { z: tf.concat(found, 1) as tf.Tensor2D, logDet: terms.reduce((sum, term) => tf.add(sum, term)) };
}

function decodeBy(levels: readonly Level[], f: Forward, z: tf.Tensor2D, told: Told): T4 {
  const sizes = levels.map(({ map, out }) => sizeOf(map, out));
  const found = tf.split(z, sizes, 1);
  let h: T4 | null = null;
  for (const [k, { steps, map, out }] of [...levels.entries()].toReversed()) {
    const own = tf.reshape(found[k]!, [-1, map[0], map[1], out]) as T4;
    h = h ? (tf.concat([own, h], 3) as T4) : own;
    for (const step of steps.toReversed()) h = step.inverse(f, h, told);
    if (k > 0) h = unsqueeze(h);
  }
  return h!;
}

/** What a byte's value k / 127.5 - 1 is of (k + 1/2) / 128 - 1. */
const BYTES = 128 / 127.5;

export function buildFlow(config: FlowConfig): Flow {
  const { height, width, channels, classes } = config;
  const scope = createScope();
  const embed = classes > 0 ? embedding(scope.child("class_embedding"), classes, TOLD) : null;
  const tell = (f: Forward, y: tf.Tensor1D | null): Told => (embed ? embed(f, given(y, classes)) : null);
  const levels = declareLevels(scope, config, embed ? TOLD : 0);
  const encode: Flow["encode"] = (f, x, y) => encodeBy(levels, f, x, tell(f, y));
  const decode: Flow["decode"] = (f, z, y) => decodeBy(levels, f, z, tell(f, y));

  const latent = height * width * channels;
  const generate: Density["generate"] = (f, z, y) => tf.mul(decode(f, z, y), BYTES);
  const evidence: Density["evidence"] = (f, x, y, u) => {
    const between = tf.div(tf.sub(tf.reshape(u, x.shape), 0.5), 128);
    const { z, logDet } = encode(f, tf.add(tf.div(x, BYTES), between) as T4, y);
    // A byte is 1/128 wide.
    const logP = tf.sub(tf.add(standardNormal(z), logDet), latent * Math.log(128));
    return { distortion: tf.neg(logP), rate: null, logWeight: logP };
  };
  return {
    params: scope.params,
    density: {
      ...{ latent, generate, noise: { of: "uniforms", size: latent }, evidence },
      encode: (f, x, y) => encode(f, tf.div(x, BYTES) as T4, y).z,
    },
    forward: forwardOf(latent, generate),
    encode,
    decode,
  };
}

export function flowOf({ data: { patch }, model }: NetworkFields, image: ImageShape): Network {
  const channels = image.channels * patch * patch;
  if (channels < 2)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `data.patch ${patch} leaves a flow one channel, of which no half can tell it of the other`,
      { remedy: "set data.patch to 2, or more" },
    );
  return buildFlow({
    height: image.height / patch,
    width: image.width / patch,
    channels,
    hidden: model.channelMult.map((mult) => model.channels * mult),
    steps: model.layers,
    classes: model.classes,
  });
}
