// A small transformer that reads captions: token and position embeddings, then its layers. B batch, L words, C channels.

import * as tf from "@tensorflow/tfjs-core";
import { embedding, type Scope } from "./layers.ts";
import type { Forward } from "./network.ts";
import { layerNorm, type Tokens, type TransformerConfig, transformer } from "./transformer.ts";

export interface TextConfig extends TransformerConfig {
  /** Numbers a word may have; 0 is no word. */
  readonly tokens: number;
  /** Words of every caption, those that it lacks included. */
  readonly length: number;
}

/** ids int32 [B L], caption by caption, to words float32 [B, L, width]. */
export function textEncoder(scope: Scope, { tokens, length, width, layers, heads }: TextConfig) {
  const embed = embedding(scope.child("token_embedding"), tokens, width);
  const position = scope.param("position_embedding.weight", [length, width], { kind: "normal", scale: 1 });
  const blocks = transformer(scope, { width, layers, heads });
  const last = layerNorm(scope.child("final_layer_norm"), width);
  return (f: Forward, ids: tf.Tensor1D): Tokens => {
    const words = tf.reshape(embed(f, ids), [-1, length, width]);
    return last(f, blocks(f, tf.add(words, f.param(position))));
  };
}
