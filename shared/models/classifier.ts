// ADM's noised classifier (Dhariwal and Nichol 2021, Sec. 4.1; guided-diffusion's EncoderUNetModel): the U-Net's way
// down and a pool. It has no counterpart in diffusers; the names of the shared parts are the U-Net's.

import * as tf from "@tensorflow/tfjs-core";
import { attentionPool } from "../nn/attention.ts";
import { conv2d, createScope, groupNorm } from "../nn/layers.ts";
import type { Network } from "../nn/network.ts";
import { type ImageShape, type NetworkFields, sideOf, unetConfig } from "./of-job.ts";
import { checkConfig, headsOf, levelChannels, type UnetConfig } from "./unet-config.ts";
import { conditioning, encoder } from "./unet-parts.ts";

export interface EncoderConfig extends UnetConfig {
  readonly pool: "attention" | "adaptive";
  /** Side of the feature map at the bottom: the attention pool has a position for each pixel. */
  readonly bottomSide: number;
}

/** x [B, H, W, inC] -> logits, float32 [B, 1, 1, outC]. @throws PlumeError INVALID_ARGUMENT as buildUnet does. */
export function buildEncoder(config: EncoderConfig): Network {
  checkConfig(config);
  const scope = createScope();
  const tell = conditioning(scope, config);
  const { down, middle } = encoder(scope, config);
  const channels = levelChannels(config).at(-1)!;
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
      const told = tell(f, input);
      let h = input.x;
      for (const block of down) h = block(f, h, told);
      h = norm(f, middle(f, h, told));
      if (pool) return tf.reshape(pool(f, h), [-1, 1, 1, config.outC]);
      return linear!(f, tf.mean(h, [1, 2], true) as tf.Tensor4D);
    },
  };
}

/** As many outputs as classes, which it is not told. */
export function classifierOf(fields: NetworkFields, { channels }: ImageShape): Network {
  const { channelMult, classes, pool } = fields.model;
  const bottomSide = sideOf(fields, channelMult.length - 1);
  return buildEncoder({
    ...unetConfig(fields, channels),
    outC: classes,
    classRows: 0,
    augmentLabels: undefined,
    pool,
    bottomSide,
  });
}
