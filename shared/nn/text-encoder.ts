// A small transformer that reads captions: token and position embeddings, then layers of attention among words and of a perceptron,
// each behind a norm (pre-LN: Xiong et al. 2020; T5's and CLIP's are of that form). B batch, L words, C channels.

import * as tf from "@tensorflow/tfjs-core";
import { attend } from "./attention.ts";
import { silu } from "./fused.ts";
import { dense, embedding, groupNorm, type Scope } from "./layers.ts";
import type { Forward } from "./network.ts";

export interface TextConfig {
  /** Numbers a word may have; 0 is no word. */
  readonly tokens: number;
  /** Words of every caption, those that it lacks included. */
  readonly length: number;
  /** Channels of a word. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
}

type Words = tf.Tensor3D;

/** ids int32 [B L], caption by caption, to words float32 [B, L, width]. */
export function textEncoder(scope: Scope, { tokens, length, width, layers, heads }: TextConfig) {
  const embed = embedding(scope.child("token_embedding"), tokens, width);
  const position = scope.param("position_embedding.weight", [length, width], { kind: "normal", scale: 1 });
  const blocks = Array.from({ length: layers }, (_, k) => layer(scope.child(`layers.${k}`), width, heads));
  const last = layerNorm(scope.child("final_layer_norm"), width);
  return (f: Forward, ids: tf.Tensor1D): Words => {
    const words = tf.reshape(embed(f, ids), [-1, length, width]);
    return last(
      f,
      blocks.reduce((h, block) => block(f, h), tf.add(words, f.param(position)) as Words),
    );
  };
}

function layer(scope: Scope, width: number, heads: number) {
  const norm1 = layerNorm(scope.child("layer_norm1"), width);
  const [toQ, toK, toV] = ["to_q", "to_k", "to_v"].map((name) => dense(scope.child(name), width, width));
  const toOut = dense(scope.child("to_out"), width, width);
  const norm2 = layerNorm(scope.child("layer_norm2"), width);
  const up = dense(scope.child("fc1"), width, 4 * width);
  const down = dense(scope.child("fc2"), 4 * width, width);
  return (f: Forward, words: Words): Words => {
    const u = norm1(f, words);
    const h = tf.add(words, toOut(f, attend(toQ!(f, u), toK!(f, u), toV!(f, u), heads))) as Words;
    return tf.add(h, down(f, silu(up(f, norm2(f, h))))) as Words;
  };
}

/** Of each word by itself: Ba et al. 2016. */
function layerNorm(scope: Scope, width: number) {
  const norm = groupNorm(scope, width, { groups: 1, eps: 1e-5 });
  return (f: Forward, words: Words): Words => tf.reshape(norm(f, tf.reshape(words, [-1, 1, width])), words.shape);
}
