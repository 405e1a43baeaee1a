// EDM's U-Net block (Karras et al. 2022; networks.py UNetBlock): norm, SiLU, conv, embedding, norm, SiLU, conv, scaled
// skip, then attention as a second residual. Unlike ADM's it takes the embedding without SiLU and scales every sum.

import * as tf from "@tensorflow/tfjs-core";
import { attend } from "../nn/attention.ts";
import { conv2d, dense, groupNorm, type Scope } from "../nn/layers.ts";
import type { Forward } from "../nn/network.ts";

export interface EdmBlockOptions {
  readonly inC: number;
  readonly outC: number;
  readonly embC: number;
  /** 0 for a block without attention. */
  readonly heads: number;
  /** Multiplies every sum with a skip; EDM has sqrt(1/2), ADM 1. */
  readonly skipScale: number;
  /** The embedding scales and shifts the norm; else it is added before it. */
  readonly adaptiveScale: boolean;
  readonly eps: number;
}

/** EDM keeps at least 4 channels a group. */
const groupsOf = (channels: number): number => Math.min(32, Math.floor(channels / 4));

/** x float32 [B, H, W, inC] and the embedding [B, embC] to [B, H, W, outC]. */
export function edmBlock(scope: Scope, { inC, outC, embC, heads, skipScale, adaptiveScale, eps }: EdmBlockOptions) {
  const norm0 = groupNorm(scope.child("norm0"), inC, { groups: groupsOf(inC), eps, silu: true });
  const conv0 = conv2d(scope.child("conv0"), inC, outC, 3);
  const affine = dense(scope.child("affine"), embC, adaptiveScale ? 2 * outC : outC);
  const norm1 = groupNorm(scope.child("norm1"), outC, { groups: groupsOf(outC), eps, silu: true });
  const conv1 = conv2d(scope.child("conv1"), outC, outC, 3, { zero: true });
  const skip = inC === outC ? null : conv2d(scope.child("skip"), inC, outC, 1);
  const attention = heads > 0 ? edmAttention(scope, outC, heads, eps) : null;

  return (f: Forward, x: tf.Tensor4D, emb: tf.Tensor2D): tf.Tensor4D => {
    let h = conv0(f, norm0(f, x));
    const params = affine(f, emb);
    h = adaptiveScale ? norm1(f, h, params) : norm1(f, tf.add(h, tf.reshape(params, [-1, 1, 1, outC])) as tf.Tensor4D);
    h = tf.mul(tf.add(conv1(f, h), skip ? skip(f, x) : x), skipScale) as tf.Tensor4D;
    return attention ? (tf.mul(tf.add(attention(f, h), h), skipScale) as tf.Tensor4D) : h;
  };
}

function edmAttention(scope: Scope, channels: number, heads: number, eps: number) {
  const norm = groupNorm(scope.child("norm2"), channels, { groups: groupsOf(channels), eps });
  const toQ = dense(scope.child("to_q"), channels, channels);
  const toK = dense(scope.child("to_k"), channels, channels);
  const toV = dense(scope.child("to_v"), channels, channels);
  const proj = conv2d(scope.child("proj"), channels, channels, 1, { zero: true });
  return (f: Forward, x: tf.Tensor4D): tf.Tensor4D => {
    const [B, H, W, C] = x.shape;
    const tokens = tf.reshape(norm(f, x), [B, H * W, C]) as tf.Tensor3D;
    const mixed = attend(toQ(f, tokens), toK(f, tokens), toV(f, tokens), heads);
    return proj(f, tf.reshape(mixed, x.shape));
  };
}
