// DALL-E's transformer (Ramesh et al. 2021, Sec. 2.2): the words of a caption and the codes of its image as one row of tokens, each told
// by those before it. Words and codes have vocabularies of their own; where a caption has no word, each place has a token of its own.
// B batch, L words, N codes, V and K their tokens.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import { createScope, dense } from "../nn/layers.ts";
import type { Forward, Network, TokenModel } from "../nn/network.ts";
import type { Vocabulary } from "../nn/text-encoder.ts";
import {
  causalMask,
  layerNorm,
  repeated,
  type Tokens,
  type TransformerConfig,
  transformer,
} from "../nn/transformer.ts";
import { headsOfWidth, type NetworkFields, ownTextConfig } from "./of-job.ts";

export interface DalleConfig extends TransformerConfig {
  readonly text: Vocabulary;
  /** K. */
  readonly codes: number;
  /** Codes a side of an image's grid. */
  readonly side: number;
}

/** Embeddings start small, as GPT's do. */
const SMALL = { kind: "normal", scale: 0.02 } as const;

export function buildDalle(config: DalleConfig): Network & { readonly tokens: TokenModel } {
  const { width, text, codes: K, side } = config;
  const [L, N] = [text.length, side * side];
  const V = text.tokens - 1 + L;
  const scope = createScope();
  const begin = scope.param("begin", [width], SMALL);
  const words = scope.param("text.token_embedding.weight", [V, width], SMALL);
  const places = scope.param("text.position_embedding.weight", [L, width], SMALL);
  const codes = scope.param("image.token_embedding.weight", [K, width], SMALL);
  const rows = scope.param("image.row_embedding.weight", [side, 1, width], SMALL);
  const columns = scope.param("image.column_embedding.weight", [1, side, width], SMALL);
  const blocks = transformer(scope.child("transformer"), config);
  const last = layerNorm(scope.child("norm_out"), width);
  const toWords = dense(scope.child("text.logits"), width, V, { zero: true });
  const toCodes = dense(scope.child("image.logits"), width, K, { zero: true });

  /** Rows of a table. @param there which, float32 [n, V] of ones and zeros. @returns [B, n / B, width]. */
  const embed = (f: Forward, there: tf.Tensor2D, table: string, B: number): Tokens =>
    tf.reshape(tf.matMul(there, f.param(table) as tf.Tensor2D), [B, -1, width]);
  const next: TokenModel["next"] = (f, ids, image) => {
    const B = image.shape[0];
    const said = wordsOf(ids, text);
    const shown = tf.cast(tf.oneHot(tf.reshape(image, [-1]) as tf.Tensor1D, K), "float32") as tf.Tensor2D;
    const grid = tf.reshape(tf.add(f.param(rows), f.param(columns)), [N, width]);
    const row = tf.concat(
      [
        repeated(f.param(begin), B),
        tf.add(embed(f, said, words, B), f.param(places)),
        tf.add(embed(f, shown, codes, B), grid),
      ],
      1,
    );
    // The last code tells of none.
    const before = tf.slice(row, [0, 0, 0], [B, L + N, width]) as Tokens;
    const h = last(f, blocks(f, before, causalMask(L + N)));
    const part = (from: number, n: number) => tf.reshape(tf.slice(h, [0, from, 0], [B, n, width]), [B * n, width]);
    return {
      words: { logits: toWords(f, part(0, L)) as tf.Tensor2D, there: said },
      codes: { logits: toCodes(f, part(L, N)) as tf.Tensor2D, there: shown },
    };
  };
  return {
    params: scope.params,
    tokens: { codes: K, length: N, next },
    forward(f, { x, text: ids }) {
      const { logits } = next(f, idsOf(ids), tf.cast(tf.reshape(x, [-1, N]), "int32")).codes;
      return tf.reshape(logits, [-1, side, side, K]);
    },
  };
}

/** int32 [B L], 0 for no word, to what stands in each place: float32 [B L, V], words before the tokens of places without one. */
function wordsOf(ids: tf.Tensor1D, { tokens, length: L }: Vocabulary): tf.Tensor2D {
  const B = ids.size / L;
  const all = tf.reshape(tf.cast(tf.oneHot(ids, tokens), "float32"), [B, L, tokens]);
  const none = tf.slice(all, [0, 0, 0], [B, L, 1]);
  const own = tf.mul(none, tf.reshape(tf.eye(L), [1, L, L]));
  const said = tf.concat([tf.slice(all, [0, 0, 1], [B, L, tokens - 1]), own], 2);
  return tf.reshape(said, [B * L, tokens - 1 + L]);
}

function idsOf(text: tf.Tensor1D | null | undefined): tf.Tensor1D {
  if (text) return text;
  throw new PlumeError("INVALID_ARGUMENT", "a dalle was told no caption", {
    remedy: "pass words that are 0 where there is none",
  });
}

/** Of the job's channels, heads and layers, and of the codes of its models.dvae. */
export function dalleOf({ model, autoencoder: { codes, codeSide } }: NetworkFields): Network {
  const { vocabulary } = ownTextConfig(model) ?? {};
  if (!vocabulary)
    throw new PlumeError("INVALID_ARGUMENT", "model.type dalle lacks model.text", {
      remedy: "set it, {} for its defaults",
    });
  const { channels: width, layers } = model;
  return buildDalle({ width, layers, heads: headsOfWidth(model), text: vocabulary, codes, side: codeSide });
}
