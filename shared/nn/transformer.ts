// Layers of a transformer: attention among tokens, then a perceptron of each, both behind a norm (pre-LN: Xiong et al. 2020; T5's and
// CLIP's are of that form). B batch, T tokens, C channels.

import * as tf from "@tensorflow/tfjs-core";
import { attend, NEVER } from "./attention.ts";
import { silu } from "./fused.ts";
import { dense, groupNorm, type Scope } from "./layers.ts";
import type { Forward } from "./network.ts";

export interface TransformerConfig {
  /** Channels of a token. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
}

/** float32 [B, T, C]. */
export type Tokens = tf.Tensor3D;

type Activation = <X extends tf.Tensor>(x: X) => X;

/** Tokens to tokens. @param mask added to the scores, float32 [T, T]; none when absent. */
export function transformer(scope: Scope, { width, layers, heads }: TransformerConfig, activation: Activation = silu) {
  const blocks = Array.from({ length: layers }, (_, k) => layer(scope.child(`layers.${k}`), width, heads, activation));
  return (f: Forward, tokens: Tokens, mask?: tf.Tensor2D): Tokens =>
    blocks.reduce((h, block) => block(f, h, mask), tokens);
}

function layer(scope: Scope, width: number, heads: number, activation: Activation) {
  const norm1 = layerNorm(scope.child("layer_norm1"), width);
  const [toQ, toK, toV] = ["to_q", "to_k", "to_v"].map((name) => dense(scope.child(name), width, width));
  const toOut = dense(scope.child("to_out"), width, width);
  const norm2 = layerNorm(scope.child("layer_norm2"), width);
  const up = dense(scope.child("fc1"), width, 4 * width);
  const down = dense(scope.child("fc2"), 4 * width, width);
  return (f: Forward, tokens: Tokens, mask?: tf.Tensor2D): Tokens => {
    const u = norm1(f, tokens);
    const h = tf.add(tokens, toOut(f, attend(toQ!(f, u), toK!(f, u), toV!(f, u), heads, { bias: mask }))) as Tokens;
    return tf.add(h, down(f, activation(up(f, norm2(f, h))))) as Tokens;
  };
}

/** Of each token by itself: Ba et al. 2016. */
export function layerNorm(scope: Scope, width: number) {
  const norm = groupNorm(scope, width, { groups: 1, eps: 1e-5 });
  return (f: Forward, tokens: Tokens): Tokens => tf.reshape(norm(f, tf.reshape(tokens, [-1, 1, width])), tokens.shape);
}

/** x sigmoid(1.702 x): CLIP's approximation of GELU (Hendrycks and Gimpel 2016). */
export const quickGelu: Activation = (x) => tf.div(silu(tf.mul(x, 1.702)), 1.702);

/** What lets each of T tokens see itself and those before it: float32 [T, T]. */
export function causalMask(T: number): tf.Tensor2D {
  const seen = Array.from({ length: T * T }, (_, k) => (k % T > Math.floor(k / T) ? NEVER : 0));
  return tf.tensor2d(seen, [T, T]);
}

/** A token that is the same in every sample: float32 [B, 1, C] of a parameter [C]. */
export const repeated = (token: tf.Tensor, B: number): Tokens =>
  tf.add(tf.zeros([B, 1, token.size]), tf.reshape(token, [1, 1, token.size]));
