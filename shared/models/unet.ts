// ADM's U-Net (Dhariwal and Nichol 2021; guided-diffusion's unet.py), of which DDPM's and iDDPM's are settings.
// Parameter names are those of diffusers' UNet2DModel, one to one (diffusers.ts); shapes are plume's (HWIO, [in, out]).

import * as tf from "@tensorflow/tfjs-core";
import { attentionBlock, attentionPool } from "../nn/attention.ts";
import { cosSinEmbedding } from "../nn/embeddings.ts";
import { silu } from "../nn/fused.ts";
import { conv2d, createScope, dense, downsample, embedding, groupNorm, type Scope, upsample } from "../nn/layers.ts";
import type { Forward, Network, NetworkInput } from "../nn/network.ts";
import { resBlock } from "./res-block.ts";

export interface UnetConfig {
  readonly inC: number;
  readonly outC: number;
  /** Channels of the first level. */
  readonly channels: number;
  readonly channelMult: readonly number[];
  readonly resBlocks: number;
  /** Levels (0 is the finest) that have attention; the middle always has. */
  readonly attentionLevels: readonly number[];
  /** Channels of one head, or a number of heads; one head when neither is given. */
  readonly headChannels?: number | undefined;
  readonly heads?: number | undefined;
  readonly groups: number;
  readonly eps: number;
  readonly dropout: number;
  readonly scaleShift: boolean;
  readonly resample: "conv" | "resblock";
  /** Rows of the class embedding; 0 for none. */
  readonly classRows: number;
}

type Block = (f: Forward, x: tf.Tensor4D, siluEmb: tf.Tensor2D) => tf.Tensor4D;

export function buildUnet(config: UnetConfig): Network {
  const scope = createScope();
  const embed = timeEmbedding(scope, config);
  const { down, middle, skipC } = encoder(scope, config);
  const up = decoder(scope, config, skipC);
  const normOut = groupNorm(scope.child("conv_norm_out"), config.channels, {
    groups: config.groups,
    eps: config.eps,
    silu: true,
  });
  const convOut = conv2d(scope.child("conv_out"), config.channels, config.outC, 3, { zero: true });

  const forward = (f: Forward, input: NetworkInput): tf.Tensor4D => {
    const emb = embed(f, input);
    const skips: tf.Tensor4D[] = [];
    let h = input.x;
    for (const block of down) {
      h = block(f, h, emb);
      skips.push(h);
    }
    h = middle(f, h, emb);
    for (const { block, join } of up) h = block(f, join ? (tf.concat([h, skips.pop()!], 3) as tf.Tensor4D) : h, emb);
    return convOut(f, normOut(f, h));
  };
  return { params: scope.params, forward };
}

export interface EncoderConfig extends UnetConfig {
  readonly pool: "attention" | "adaptive";
  /** Side of the feature map at the bottom: the attention pool has a position for each pixel. */
  readonly bottomSide: number;
}

/** ADM's noised classifier: the U-Net's encoder and a pool. Logits come back as [B, 1, 1, outC]. */
export function buildEncoder(config: EncoderConfig): Network {
  const scope = createScope();
  const embed = timeEmbedding(scope, config);
  const { down, middle } = encoder(scope, config);
  const channels = config.channels * config.channelMult.at(-1)!;
  const norm = groupNorm(scope.child("conv_norm_out"), channels, {
    groups: config.groups,
    eps: config.eps,
    silu: true,
  });
  const pool =
    config.pool === "attention"
      ? attentionPool(scope.child("pool"), config.bottomSide, channels, headsOf(config, channels), config.outC)
      : null;
  const linear = pool ? null : conv2d(scope.child("pool"), channels, config.outC, 1, { zero: true });
  return {
    params: scope.params,
    forward(f, input) {
      const emb = embed(f, input);
      let h = input.x;
      for (const block of down) h = block(f, h, emb);
      h = norm(f, middle(f, h, emb));
      if (pool) return tf.reshape(pool(f, h), [-1, 1, 1, config.outC]);
      return linear!(f, tf.mean(h, [1, 2], true) as tf.Tensor4D);
    },
  };
}

/** emb = MLP(sinusoids(t)) + class; what the blocks want is its SiLU. */
function timeEmbedding(scope: Scope, { channels, classRows }: UnetConfig) {
  const dim = 4 * channels;
  const linear1 = dense(scope.child("time_embedding.linear_1"), channels, dim);
  const linear2 = dense(scope.child("time_embedding.linear_2"), dim, dim);
  const classes = classRows > 0 ? embedding(scope.child("class_embedding"), classRows, dim) : null;
  return (f: Forward, { t, y }: NetworkInput): tf.Tensor2D => {
    const time = linear2(f, silu(linear1(f, cosSinEmbedding(t, channels))));
    return silu(classes && y ? (tf.add(time, classes(f, y)) as tf.Tensor2D) : time);
  };
}

const headsOf = ({ heads, headChannels }: UnetConfig, channels: number): number =>
  headChannels ? channels / headChannels : (heads ?? 1);

function parts(config: UnetConfig) {
  const { groups, eps, dropout, scaleShift } = config;
  const embC = 4 * config.channels;
  const residual = (scope: Scope, inC: number, outC: number, resample?: "up" | "down"): Block =>
    resBlock(scope, { inC, outC, embC, groups, eps, dropout, scaleShift, resample });
  const attention = (scope: Scope, channels: number) =>
    attentionBlock(scope, channels, { heads: headsOf(config, channels), groups, eps });
  return { residual, attention };
}

/** The way down: every block's output is a skip. `skipC` are their channels, in order. */
function encoder(scope: Scope, config: UnetConfig): { down: Block[]; middle: Block; skipC: number[] } {
  const { channels, channelMult, resBlocks, attentionLevels, resample } = config;
  const { residual, attention } = parts(config);
  const convIn = conv2d(scope.child("conv_in"), config.inC, channels, 3);
  const down: Block[] = [convIn];
  const skipC = [channels];
  let C = channels;
  channelMult.forEach((mult, level) => {
    const here = scope.child(`down_blocks.${level}`);
    const outC = channels * mult;
    for (let i = 0; i < resBlocks; i++) {
      const block = residual(here.child(`resnets.${i}`), C, outC);
      const attend = attentionLevels.includes(level) ? attention(here.child(`attentions.${i}`), outC) : null;
      down.push((f, x, emb) => (attend ? attend(f, block(f, x, emb)) : block(f, x, emb)));
      C = outC;
      skipC.push(C);
    }
    if (level < channelMult.length - 1) {
      const at = here.child("downsamplers.0");
      down.push(resample === "resblock" ? residual(at, C, C, "down") : downsample(at.child("conv"), C));
      skipC.push(C);
    }
  });
  const mid = scope.child("mid_block");
  const first = residual(mid.child("resnets.0"), C, C);
  const attend = attention(mid.child("attentions.0"), C);
  const second = residual(mid.child("resnets.1"), C, C);
  return { down, middle: (f, x, emb) => second(f, attend(f, first(f, x, emb)), emb), skipC };
}

/** The way up: blocks that take a skip (`join`) and upsamplers that do not. */
function decoder(scope: Scope, config: UnetConfig, skipC: readonly number[]): { block: Block; join: boolean }[] {
  const { channels, channelMult, resBlocks, attentionLevels, resample } = config;
  const { residual, attention } = parts(config);
  const skips = [...skipC];
  const up: { block: Block; join: boolean }[] = [];
  const levels = channelMult.length;
  let C = channels * channelMult[levels - 1]!;
  for (let level = levels - 1; level >= 0; level--) {
    const here = scope.child(`up_blocks.${levels - 1 - level}`);
    const outC = channels * channelMult[level]!;
    for (let i = 0; i <= resBlocks; i++) {
      const block = residual(here.child(`resnets.${i}`), C + skips.pop()!, outC);
      const attend = attentionLevels.includes(level) ? attention(here.child(`attentions.${i}`), outC) : null;
      up.push({ join: true, block: (f, x, emb) => (attend ? attend(f, block(f, x, emb)) : block(f, x, emb)) });
      C = outC;
    }
    if (level > 0) {
      const at = here.child("upsamplers.0");
      up.push({
        join: false,
        block: resample === "resblock" ? residual(at, C, C, "up") : upsample(at.child("conv"), C),
      });
    }
  }
  return up;
}
