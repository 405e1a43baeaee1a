// ADM's residual block (Dhariwal and Nichol 2021; DDPM's without scale and shift): norm, SiLU, conv, time embedding,
// norm, SiLU, dropout, conv; up- or downsampling on both branches before the first convolution. Names are diffusers'.

import * as tf from "@tensorflow/tfjs-core";
import { conv2d, dense, downsample, groupNorm, type Scope, upsample } from "../nn/layers.ts";
import type { Forward } from "../nn/network.ts";

export interface ResBlockOptions {
  readonly inC: number;
  readonly outC: number;
  /** Of the time embedding; null where there is no time. */
  readonly embC: number | null;
  readonly groups: number;
  readonly eps: number;
  readonly dropout: number;
  readonly scaleShift: boolean;
  readonly resample?: "up" | "down" | undefined;
  /** Kernel of the shortcut where the channels change. */
  readonly shortcutKernel?: 1 | 3;
}

/** Applies to x [B, H, W, inC] and siluEmb [B, embC], the time embedding after its SiLU, where there is one. */
export function resBlock(scope: Scope, options: ResBlockOptions) {
  const { inC, outC, embC, groups, eps, dropout, scaleShift } = options;
  const norm1 = groupNorm(scope.child("norm1"), inC, { groups, eps, silu: true });
  const conv1 = conv2d(scope.child("conv1"), inC, outC, 3);
  const projection = embC === null ? null : dense(scope.child("time_emb_proj"), embC, scaleShift ? 2 * outC : outC);
  const norm2 = groupNorm(scope.child("norm2"), outC, { groups, eps, silu: true });
  const conv2 = conv2d(scope.child("conv2"), outC, outC, 3, { zero: true });
  const shortcut = inC === outC ? null : conv2d(scope.child("conv_shortcut"), inC, outC, options.shortcutKernel ?? 1);
  const resample =
    options.resample === "up" ? upsample(null, inC) : options.resample === "down" ? downsample(null, inC) : null;

  return (f: Forward, x: tf.Tensor4D, siluEmb: tf.Tensor2D | null = null): tf.Tensor4D => {
    let skip = x;
    let h = norm1(f, x);
    if (resample) {
      h = resample(f, h);
      skip = resample(f, x);
    }
    h = conv1(f, h);
    const emb = projection && siluEmb && projection(f, siluEmb);
    if (emb && !scaleShift) h = tf.add(h, tf.reshape(emb, [-1, 1, 1, outC]));
    h = norm2(f, h, scaleShift ? emb : null);
    if (dropout > 0) h = f.dropout(h, dropout);
    return tf.add(shortcut ? shortcut(f, skip) : skip, conv2(f, h)) as tf.Tensor4D;
  };
}
