// The prior of unCLIP (Ramesh et al. 2022, Sec. 2.2): a causal transformer over the words of a caption, CLIP's embedding of it, the time,
// the noised embedding of an image, and a query, whose answer is that embedding without noise. Names are those of diffusers'
// PriorTransformer where it has such a part. B batch, L words, T tokens, D dimensions of the embeddings.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import { cosSinEmbedding } from "../nn/embeddings.ts";
import { silu } from "../nn/fused.ts";
import { createScope, dense, type Scope } from "../nn/layers.ts";
import type { Forward, Network, NetworkInput } from "../nn/network.ts";
import { type TextConfig, textEncoder, type Vocabulary } from "../nn/text-encoder.ts";
import { causalMask, layerNorm, repeated, type TransformerConfig, transformer } from "../nn/transformer.ts";
import { headsOfWidth, type NetworkFields, ownTextConfig } from "./of-job.ts";

export interface PriorConfig extends TransformerConfig {
  readonly embedding: number;
  readonly text: TextConfig & { readonly vocabulary: Vocabulary };
}

/** Behind the words: the caption's embedding, the time, the noised embedding, the query. */
const MORE = 4;

/** x [B, 1, 1, D], told words and an embedding of a caption, -> [B, 1, 1, D], float32. A fresh one returns exactly 0. */
export function buildPrior({ embedding: D, text, ...config }: PriorConfig): Network {
  const { width } = config;
  const T = text.vocabulary.length + MORE;
  const scope = createScope();
  const read = textEncoder(scope.child("text_encoder"), text);
  const words = dense(scope.child("encoder_hidden_states_proj"), text.width, width);
  const caption = dense(scope.child("embedding_proj"), D, width);
  const time = timeToken(scope.child("time_embedding"), width);
  const image = dense(scope.child("proj_in"), D, width);
  const query = scope.param("prd_embedding", [width], { kind: "normal", scale: 1 });
  const position = scope.param("positional_embedding", [T, width], { kind: "normal", scale: 1 });
  const blocks = transformer(scope.child("transformer_blocks"), config);
  const last = layerNorm(scope.child("norm_out"), width);
  const out = dense(scope.child("proj_to_clip_embeddings"), width, D, { zero: true });
  return {
    params: scope.params,
    forward(f, input) {
      const { x, t, text: ids, embedding } = toldOf(input);
      const B = x.shape[0];
      const token = (each: tf.Tensor2D) => tf.reshape(each, [B, 1, width]) as tf.Tensor3D;
      const tokens = tf.concat(
        [
          words(f, read(f, ids, B).words),
          token(caption(f, embedding)),
          token(time(f, t)),
          token(image(f, tf.reshape(x, [B, D]))),
          repeated(f.param(query), B),
        ],
        1,
      );
      const h = blocks(f, tf.add(tokens, f.param(position)), causalMask(T));
      const answer = last(f, tf.slice(h, [0, T - 1, 0], [B, 1, width]));
      return tf.reshape(out(f, answer), [B, 1, 1, D]);
    },
  };
}

function timeToken(scope: Scope, width: number) {
  const linear1 = dense(scope.child("linear_1"), width, width);
  const linear2 = dense(scope.child("linear_2"), width, width);
  return (f: Forward, t: tf.Tensor1D): tf.Tensor2D => linear2(f, silu(linear1(f, cosSinEmbedding(t, width))));
}

/** @throws PlumeError INVALID_ARGUMENT for what a prior cannot do without. */
export function toldOf<Input extends Pick<NetworkInput, "text" | "embedding">>({ text, embedding, ...input }: Input) {
  if (text && embedding) return { ...input, text, embedding };
  throw new PlumeError("INVALID_ARGUMENT", "a prior was told no caption, or no embedding of one", {
    remedy: "pass words that are 0, and an embedding of zeros, where there is none",
  });
}

/** Of the job's channels, heads and layers; it reads captions as the job's text says. */
export function priorConfig({ model }: NetworkFields): PriorConfig {
  const text = ownTextConfig(model);
  if (!text || model.embedding === undefined)
    throw new PlumeError("INVALID_ARGUMENT", "model.type of a prior lacks model.text or model.embedding", {
      remedy: "set both: how it reads captions, and the dimensions of models.clip's embeddings",
    });
  const { channels: width, layers, embedding } = model;
  return { width, layers, heads: headsOfWidth(model), embedding, text };
}

export const priorOf = (fields: NetworkFields): Network => buildPrior(priorConfig(fields));
