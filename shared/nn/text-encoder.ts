// A small transformer that reads captions: token and position embeddings, then layers of attention among words and of a perceptron,
// each behind a norm (pre-LN: Xiong et al. 2020; T5's and CLIP's are of that form). Words are learned, or those of a frozen encoder, which
// pass through the last norm (Saharia et al. 2022, Sec. 2.3). B batch, L words, C channels.

import * as tf from "@tensorflow/tfjs-core";
import { embedding, type Scope } from "./layers.ts";
import type { Forward } from "./network.ts";
import { layerNorm, type Tokens, type TransformerConfig, transformer } from "./transformer.ts";

export interface TextConfig extends TransformerConfig {
  /** Of a network that learns its words; one without reads those of a frozen encoder. */
  readonly vocabulary?: Vocabulary | undefined;
}

export interface Vocabulary {
  /** Numbers a word may have; 0 is no word. */
  readonly tokens: number;
  /** Words of every caption, those that it lacks included. */
  readonly length: number;
}

type Words = Tokens;

/** What a network makes of captions. */
interface Read {
  /** float32 [B, L, width]. */
  readonly words: Words;
  /** Their mean: float32 [B, width]. */
  readonly pooled: tf.Tensor2D;
}

/** A network's input of captions, as NetworkInput has it, to what the network makes of them. */
export function textEncoder(scope: Scope, config: TextConfig) {
  const { vocabulary, width, layers, heads } = config;
  const embed = vocabulary ? ownWords(scope, vocabulary, width) : givenWords(scope, width);
  const blocks = transformer(scope, { width, layers, heads });
  const last = layerNorm(scope.child("final_layer_norm"), width);
  return (f: Forward, text: tf.Tensor1D, B: number): Read => {
    const { embedded, share } = embed(f, text, B);
    const words = last(f, blocks(f, embedded));
    return { words, pooled: (share ? tf.sum(tf.mul(words, share), 1) : tf.mean(words, 1)) as tf.Tensor2D };
  };
}

interface Embedded {
  readonly embedded: Words;
  /** Of each word in their mean: float32 [B, L, 1]; all alike where it is absent. */
  readonly share?: Words;
}

/** A row a number, and a row a place. */
function ownWords(scope: Scope, { tokens, length }: Vocabulary, width: number) {
  const embed = embedding(scope.child("token_embedding"), tokens, width);
  const position = scope.param("position_embedding.weight", [length, width], { kind: "normal", scale: 1 });
  return (f: Forward, ids: tf.Tensor1D): Embedded => {
    const words = tf.reshape(embed(f, ids), [-1, length, width]);
    return { embedded: tf.add(words, f.param(position)) as Words };
  };
}

/**
 * Words of a frozen encoder, and one that is learned in every place that has none, so that a caption that is dropped is told from one
 * that says nothing. The mean is of the caption's words alone; of a dropped one, of what stands in their places.
 */
function givenWords(scope: Scope, width: number) {
  const none = scope.param("no_word", [1, 1, width], { kind: "normal", scale: 1 });
  return (f: Forward, text: tf.Tensor1D, B: number): Embedded => {
    const L = text.size / (B * (width + 1));
    const [given, there] = tf.split(tf.reshape(text, [B, L, width + 1]), [width, 1], 2) as [Words, Words];
    const absent = tf.sub(1, there);
    const count = tf.sum(there, 1, true); // [B, 1, 1]
    const isEmpty = tf.relu(tf.sub(1, count));
    return {
      embedded: tf.add(given, tf.mul(absent, f.param(none))) as Words,
      share: tf.div(tf.add(there, isEmpty), tf.add(count, tf.mul(isEmpty, L))) as Words,
    };
  };
}
