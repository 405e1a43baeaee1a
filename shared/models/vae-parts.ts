// The encoder and the decoder of diffusers' AutoencoderKL (its Encoder and Decoder; Rombach et al. 2022): the U-Net's blocks
// without time, skips and their concatenation. Names are diffusers', shapes plume's.

import * as tf from "@tensorflow/tfjs-core";
import { attentionBlock } from "../nn/attention.ts";
import { conv2d, embedding, groupNorm, type Scope, upsample } from "../nn/layers.ts";
import type { Forward } from "../nn/network.ts";
import { given } from "./at-once.ts";
import { resBlock } from "./res-block.ts";

export interface VaeConfig {
  /** Of images as the network sees them. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Channels of z, whose sides are those of the lowest level. */
  readonly latentChannels: number;
  /** Channels of each level, the finest first. */
  readonly widths: readonly number[];
  readonly resBlocks: number;
  /** Levels that have attention; the middle always has. */
  readonly attentionLevels: readonly number[];
  readonly groups: number;
  readonly dropout: number;
  readonly classes: number;
}

type Block = (f: Forward, x: tf.Tensor4D) => tf.Tensor4D;

/** GroupNorm's epsilon in AutoencoderKL. */
const VAE_EPS = 1e-6;

const inTurn =
  (blocks: readonly Block[]): Block =>
  (f, x) =>
    blocks.reduce((h, block) => block(f, h), x);

function parts({ groups, dropout, attentionLevels }: VaeConfig) {
  const norm = { groups, eps: VAE_EPS };
  const residual = (scope: Scope, inC: number, outC: number): Block => {
    const block = resBlock(scope, { inC, outC, embC: null, dropout, scaleShift: false, ...norm });
    return (f, x) => block(f, x);
  };
  const attention = (scope: Scope, channels: number): Block => {
    const block = attentionBlock(scope, channels, { heads: 1, ...norm });
    return (f, x) => block(f, x);
  };
  return {
    /** So many residual blocks, each with an attention where the level has one. */
    level(scope: Scope, level: number, count: number, inC: number, outC: number): Block[] {
      return Array.from({ length: count }, (_, i) => {
        const block = residual(scope.child(`resnets.${i}`), i === 0 ? inC : outC, outC);
        const attends = attentionLevels.includes(level);
        return attends ? inTurn([block, attention(scope.child(`attentions.${i}`), outC)]) : block;
      });
    },
    middle: (scope: Scope, channels: number): Block =>
      inTurn([
        residual(scope.child("resnets.0"), channels, channels),
        attention(scope.child("attentions.0"), channels),
        residual(scope.child("resnets.1"), channels, channels),
      ]),
    out(scope: Scope, inC: number, outC: number): Block {
      const normOut = groupNorm(scope.child("conv_norm_out"), inC, { ...norm, silu: true });
      const convOut = conv2d(scope.child("conv_out"), inC, outC, 3);
      return (f, x) => convOut(f, normOut(f, x));
    },
  };
}

/** What is added to the feature map that the middle sees, float32 [B, 1, 1, C], or nothing. */
export type Told = tf.Tensor | null;

const beside = (h: tf.Tensor4D, told: Told): tf.Tensor4D => (told ? tf.add(h, told) : h);

/** float32 [B, H, W, channels] to mean and log variance of z behind each other, [B, h, w, 2 latentChannels]. */
function vaeEncoder(scope: Scope, config: VaeConfig) {
  const { widths, channels, resBlocks, latentChannels } = config;
  const { level, middle, out } = parts(config);
  const last = widths.length - 1;
  const down: Block[] = [conv2d(scope.child("conv_in"), channels, widths[0]!, 3)];
  widths.forEach((outC, k) => {
    const here = scope.child(`down_blocks.${k}`);
    down.push(...level(here, k, resBlocks, widths[Math.max(0, k - 1)]!, outC));
    // One row and one column of zeros, behind the others: what "same" is of even sides.
    if (k < last) down.push(conv2d(here.child("downsamplers.0.conv"), outC, outC, 3, { stride: 2, pad: "same" }));
  });
  const [toMiddle, mid] = [inTurn(down), middle(scope.child("mid_block"), widths[last]!)];
  const end = out(scope, widths[last]!, 2 * latentChannels);
  return (f: Forward, x: tf.Tensor4D, told: Told): tf.Tensor4D => end(f, mid(f, beside(toMiddle(f, x), told)));
}

/** float32 [B, h, w, latentChannels] to twice the image's channels, [B, H, W, 2 channels]. */
function vaeDecoder(scope: Scope, config: VaeConfig) {
  const { widths, channels, resBlocks, latentChannels } = config;
  const { level, middle, out } = parts(config);
  const last = widths.length - 1;
  const convIn = conv2d(scope.child("conv_in"), latentChannels, widths[last]!, 3);
  const mid = middle(scope.child("mid_block"), widths[last]!);
  const up = widths.toReversed().flatMap((outC, k) => {
    const here = scope.child(`up_blocks.${k}`);
    const above = widths[Math.min(last, last - k + 1)]!;
    const blocks = level(here, last - k, resBlocks + 1, above, outC);
    return k < last ? [...blocks, upsample(here.child("upsamplers.0.conv"), outC)] : blocks;
  });
  const end = inTurn([...up, out(scope, widths[0]!, 2 * channels)]);
  return (f: Forward, z: tf.Tensor4D, told: Told): tf.Tensor4D => end(f, mid(f, beside(convIn(f, z), told)));
}

export const halves = (x: tf.Tensor4D): [tf.Tensor4D, tf.Tensor4D] => tf.split(x, 2, 3) as [tf.Tensor4D, tf.Tensor4D];

/** @param encoded channels that the encoder gives. @param coded those that the decoder is given. */
export function declareCoder(scope: Scope, config: VaeConfig, { encoded, coded }: { encoded: number; coded: number }) {
  const { height, width, latentChannels, widths, classes } = config;
  const bottom = widths.at(-1)!;
  const embed = classes > 0 ? embedding(scope.child("class_embedding"), classes, 2 * bottom) : null;
  const encoder = vaeEncoder(scope.child("encoder"), config);
  const decoder = vaeDecoder(scope.child("decoder"), config);
  const quant = conv2d(scope.child("quant_conv"), 2 * latentChannels, encoded, 1);
  const postQuant = conv2d(scope.child("post_quant_conv"), coded, latentChannels, 1);
  return {
    /** Height and width of z. */
    map: [height / 2 ** (widths.length - 1), width / 2 ** (widths.length - 1)] as const,
    /** What encoder and decoder are told of the class. */
    tell: (f: Forward, y: tf.Tensor1D | null): readonly Told[] =>
      embed ? tf.split(tf.reshape(embed(f, given(y, classes)), [-1, 1, 1, 2 * bottom]), 2, 3) : [null, null],
    /** float32 [B, H, W, channels] to [B, h, w, encoded]. */
    encode: (f: Forward, x: tf.Tensor4D, told: Told): tf.Tensor4D => quant(f, encoder(f, x, told)),
    /** float32 [B, h, w, coded] to two numbers of each value of an image. */
    decode: (f: Forward, z: tf.Tensor4D, told: Told): [tf.Tensor4D, tf.Tensor4D] =>
      halves(decoder(f, postQuant(f, z), told)),
  };
}
