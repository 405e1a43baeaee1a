// Multi-head self-attention over positions. B batch, T tokens, H heads, D channels a head, C = H D.

import * as tf from "@tensorflow/tfjs-core";
import { dense, groupNorm, type Scope } from "./layers.ts";
import type { Forward } from "./network.ts";

/** Added to a score, makes its share of the softmax 0, exactly. */
export const NEVER = -1e9;

interface AttendOptions {
  /** Whether scores are divided by sqrt(D), as everywhere but in T5. */
  readonly scaled?: boolean;
  /** Added to the scores: float32 [B H, T, T], or [T, T] for all. */
  readonly bias?: tf.Tensor | undefined;
}

/** softmax(q k^T / sqrt(D)) v, with q and k scaled by D^-1/4 each, as in ADM. q, k, v [B, T, C] -> [B, T, C]. */
export function attend(
  q_BTC: tf.Tensor3D,
  k_BTC: tf.Tensor3D,
  v_BTC: tf.Tensor3D,
  heads: number,
  { scaled = true, bias }: AttendOptions = {},
): tf.Tensor3D {
  const [B, , C] = q_BTC.shape;
  const D = C / heads;
  const split = (x: tf.Tensor3D): tf.Tensor3D => {
    if (heads === 1) return x;
    const x_BTHD = tf.reshape(x, [B, x.shape[1], heads, D]);
    return tf.reshape(tf.transpose(x_BTHD, [0, 2, 1, 3]), [B * heads, x.shape[1], D]);
  };
  const scale = (x: tf.Tensor3D): tf.Tensor3D => (scaled ? tf.mul(x, 1 / Math.sqrt(Math.sqrt(D))) : x);
  const products = tf.matMul(scale(split(q_BTC)), scale(split(k_BTC)), false, true); // [BH, T, T]
  const scores = bias ? tf.add(products, bias) : products;
  const mixed = tf.matMul(tf.softmax(scores), split(v_BTC)) as tf.Tensor3D; // [BH, T, D]
  if (heads === 1) return mixed;
  const T = q_BTC.shape[1];
  return tf.reshape(tf.transpose(tf.reshape(mixed, [B, heads, T, D]), [0, 2, 1, 3]), [B, T, C]);
}

/** How the channels of a fused qkv projection are ordered. */
export type QkvOrder =
  /** Per head [q | k | v]: ADM's legacy order. */
  | "legacy"
  /** [Q of all heads | K | V]: ADM's new order. */
  | "new"
  /** Per head, channel by channel (q, k, v): EDM's. */
  | "interleaved";

/** Channel of a fused projection that holds part 0 (q), 1 (k) or 2 (v) of channel c. */
export function qkvChannel(order: QkvOrder, heads: number, channels: number, part: number, c: number): number {
  const D = channels / heads;
  const head = Math.floor(c / D);
  if (order === "new") return part * channels + c;
  if (order === "legacy") return head * 3 * D + part * D + (c % D);
  return head * 3 * D + (c % D) * 3 + part;
}

export interface AttentionOptions {
  /** Channels of words that are attended to beside the pixels; absent without a text. */
  readonly textC?: number | undefined;
  readonly heads: number;
  readonly groups: number;
  readonly eps: number;
}

/**
 * x + proj(attention(norm(x))); the projection starts at zero. Names are diffusers'. Keys and values of a text stand beside those of
 * the pixels: Saharia et al. 2022, Sec. 2.3 and App. D.3.1.
 */
export function attentionBlock(scope: Scope, channels: number, { heads, groups, eps, textC }: AttentionOptions) {
  const norm = groupNorm(scope.child("group_norm"), channels, { groups, eps });
  const toQ = dense(scope.child("to_q"), channels, channels);
  const toK = dense(scope.child("to_k"), channels, channels);
  const toV = dense(scope.child("to_v"), channels, channels);
  const toOut = dense(scope.child("to_out.0"), channels, channels, { zero: true });
  const addK = textC === undefined ? null : dense(scope.child("add_k_proj"), textC, channels);
  const addV = textC === undefined ? null : dense(scope.child("add_v_proj"), textC, channels);
  /** @param text float32 [B, L, textC]. */
  return (f: Forward, x: tf.Tensor4D, text: tf.Tensor3D | null = null): tf.Tensor4D => {
    const [B, H, W, C] = x.shape;
    const tokens = tf.reshape(norm(f, x), [B, H * W, C]) as tf.Tensor3D;
    const beside = (own: tf.Tensor3D, add: typeof addK) =>
      add && text ? (tf.concat([own, add(f, text) as tf.Tensor], 1) as tf.Tensor3D) : own;
    const mixed = attend(toQ(f, tokens), beside(toK(f, tokens), addK), beside(toV(f, tokens), addV), heads);
    return tf.add(x, tf.reshape(toOut(f, mixed), x.shape)) as tf.Tensor4D;
  };
}

/** CLIP's attention pooling: the mean joins as token 0 and is what comes out. x [B, S, S, C] -> [B, out]. */
export function attentionPool(scope: Scope, side: number, channels: number, heads: number, out: number) {
  const tokens = side * side + 1;
  const position = scope.param("positional_embedding", [tokens, channels], {
    kind: "normal",
    scale: 1 / Math.sqrt(channels),
  });
  const toQ = dense(scope.child("to_q"), channels, channels);
  const toK = dense(scope.child("to_k"), channels, channels);
  const toV = dense(scope.child("to_v"), channels, channels);
  const toOut = dense(scope.child("c_proj"), channels, out);
  return (f: Forward, x: tf.Tensor4D): tf.Tensor2D => {
    const [B, H, W, C] = x.shape;
    const flat = tf.reshape(x, [B, H * W, C]) as tf.Tensor3D;
    const all = tf.add(tf.concat([tf.mean(flat, 1, true) as tf.Tensor3D, flat], 1), f.param(position)) as tf.Tensor3D;
    const mixed = attend(toQ(f, all), toK(f, all), toV(f, all), heads);
    return toOut(f, tf.reshape(tf.slice(mixed, [0, 0, 0], [B, 1, C]), [B, C]) as tf.Tensor2D);
  };
}
