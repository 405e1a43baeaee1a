// The autoregressive prior of unCLIP (Ramesh et al. 2022, Sec. 2.2): a causal transformer over the words of a caption, CLIP's embedding of
// it, and the codes of an image's embedding, of which each is told by those before it. The first code is of the dot product of both
// embeddings. Beside the prefix of the paper each place is told the caption's number of the dimension that comes next: both embeddings are
// of one space. B batch, L words, D dimensions of the embeddings, N = 1 + D codes, K buckets.

import * as tf from "@tensorflow/tfjs-core";
import { createScope, dense } from "../nn/layers.ts";
import type { Forward, Network, TokenModel } from "../nn/network.ts";
import { textEncoder } from "../nn/text-encoder.ts";
import { causalMask, layerNorm, type Tokens, transformer } from "../nn/transformer.ts";
import type { NetworkFields } from "./of-job.ts";
import { type PriorConfig, priorConfig, toldOf } from "./prior.ts";

interface ArPriorConfig extends PriorConfig {
  /** K. */
  readonly buckets: number;
}

const NORMAL = { kind: "normal", scale: 1 } as const;

/** A fresh one takes every bucket for as likely as any other. */
export function buildArPrior(config: ArPriorConfig): Network & { readonly tokens: TokenModel } {
  const { embedding: D, buckets: K, text, width } = config;
  const [L, N] = [text.vocabulary.length, 1 + D];
  // The last code tells of none.
  const T = L + N;
  const scope = createScope();
  const read = textEncoder(scope.child("text_encoder"), text);
  const words = dense(scope.child("encoder_hidden_states_proj"), text.width, width);
  const caption = dense(scope.child("embedding_proj"), D, width);
  const number = scope.param("number_proj", [width], NORMAL);
  const table = scope.param("token_embedding.weight", [K, width], NORMAL);
  const position = scope.param("positional_embedding", [T, width], NORMAL);
  const blocks = transformer(scope.child("transformer_blocks"), config);
  const last = layerNorm(scope.child("norm_out"), width);
  const logits = dense(scope.child("logits"), width, K, { zero: true });

  const next = (f: Forward, ids: tf.Tensor1D, codes: tf.Tensor2D, embedding: tf.Tensor2D) => {
    const B = codes.shape[0];
    const there = tf.cast(tf.oneHot(tf.reshape(codes, [-1]) as tf.Tensor1D, K), "float32") as tf.Tensor2D;
    const shown = tf.reshape(tf.matMul(there, f.param(table) as tf.Tensor2D), [B, N, width]);
    const row = tf.concat(
      [
        words(f, read(f, ids, B).words),
        tf.reshape(caption(f, embedding), [B, 1, width]),
        // Where a dimension is asked for, the caption's number of it is told besides.
        tf.add(tf.slice(shown, [0, 0, 0], [B, D, width]), tf.mul(tf.reshape(embedding, [B, D, 1]), f.param(number))),
      ],
      1,
    );
    const h = last(f, blocks(f, tf.add(row, f.param(position)) as Tokens, causalMask(T)));
    const before = tf.reshape(tf.slice(h, [0, L, 0], [B, N, width]), [B * N, width]) as tf.Tensor2D;
    return { words: null, codes: { logits: logits(f, before), there } };
  };
  return {
    params: scope.params,
    tokens: {
      codes: K,
      length: N,
      next: (f, text, codes, embedding) => {
        const told = toldOf({ text, embedding: embedding ?? null });
        return next(f, told.text, codes, told.embedding);
      },
    },
    forward(f, input) {
      const { x, text, embedding } = toldOf(input);
      const codes = tf.cast(tf.reshape(x, [-1, N]), "int32") as tf.Tensor2D;
      return tf.reshape(next(f, text, codes, embedding).codes.logits, [-1, 1, N, K]);
    },
  };
}

/** Of the same fields as a diffusion prior, and of the job's buckets. */
export const arPriorOf = (fields: NetworkFields): Network =>
  buildArPrior({ ...priorConfig(fields), buckets: fields.model.buckets });
