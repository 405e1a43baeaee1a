// CLIP (Radford et al. 2021): an image tower, a ViT of the network's pixels, and a causal tower of captions, read where they end. The
// form is that of Hugging Face's CLIPModel (clip-names.ts has its names), with QuickGELU. B batch, L words, T tokens.

import * as tf from "@tensorflow/tfjs-core";
import { createScope, type Scope } from "../nn/layers.ts";
import type { Forward, Network, Towers } from "../nn/network.ts";
import { causalMask, layerNorm, quickGelu, repeated, transformer } from "../nn/transformer.ts";
import { type ClipConfig, clipConfig } from "./clip-config.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

/** ln of the temperature's inverse: at first, and at most. Radford et al. 2021, Sec. 2.5. */
const FIRST_SCALE = Math.log(1 / 0.07);
const MOST_SCALE = Math.log(100);

/** x [B, H, W, patchC], a pixel a patch, H W = patches; ids [B L]. Its features lie in one space of `embedding` dimensions. */
export function buildClip({ embedding, vision, text }: ClipConfig): Network & { readonly towers: Towers } {
  const scope = createScope();
  const images = imageTower(scope.child("vision_model"), vision);
  const texts = textTower(scope.child("text_model"), text);
  const toVisual = projection(scope.child("visual_projection"), vision.width, embedding);
  const toText = projection(scope.child("text_projection"), text.width, embedding);
  const logScale = scope.param("logit_scale", [], { kind: "constant", value: FIRST_SCALE });
  const towers: Towers = {
    embedding,
    images: (f, x) => toVisual(f, images(f, x)),
    texts(f, ids) {
      const { words, end } = texts(f, ids);
      return toText(f, tf.sum(tf.mul(words, end), 1));
    },
    words: (f, ids) => texts(f, ids).words,
    logScale: (f) => tf.minimum(f.param(logScale), MOST_SCALE) as tf.Scalar,
  };
  return {
    params: scope.params,
    towers,
    forward: (f, { x }) => tf.reshape(towers.images(f, x), [-1, 1, 1, embedding]),
  };
}

/** x float32 [B, inner] to [B, outer], without a bias. */
function projection(scope: Scope, inner: number, outer: number) {
  const weight = scope.param("weight", [inner, outer], { kind: "normal", scale: 1 / Math.sqrt(inner) });
  return (f: Forward, x: tf.Tensor2D): tf.Tensor2D => tf.matMul(x, f.param(weight) as tf.Tensor2D);
}

/** Positions start small, as CLIP's do: what is where shows through from the first step. */
const SMALL = 0.02;

/** ViT (Dosovitskiy et al. 2021) with a norm before its layers; the class token comes out. */
function imageTower(scope: Scope, { patches, patchC, ...config }: ClipConfig["vision"]) {
  const { width } = config;
  const classToken = scope.param("embeddings.class_embedding", [width], { kind: "normal", scale: SMALL });
  const embed = projection(scope.child("embeddings.patch_embedding"), patchC, width);
  const position = scope.param("embeddings.position_embedding.weight", [patches + 1, width], {
    kind: "normal",
    scale: SMALL,
  });
  const first = layerNorm(scope.child("pre_layrnorm"), width); // so misspelt in CLIPModel
  const blocks = transformer(scope.child("encoder"), config, quickGelu);
  const last = layerNorm(scope.child("post_layernorm"), width);
  return (f: Forward, x: tf.Tensor4D): tf.Tensor2D => {
    const B = x.shape[0];
    const seen = tf.reshape(embed(f, tf.reshape(x, [B * patches, patchC])), [B, patches, width]);
    const tokens = tf.concat([repeated(f.param(classToken), B), seen as tf.Tensor3D], 1);
    const h = blocks(f, first(f, tf.add(tokens, f.param(position))));
    return tf.reshape(last(f, tf.slice(h, [0, 0, 0], [B, 1, width])), [B, width]);
  };
}

/** Begin, words, end, each seeing those before it, behind a last norm: [B, L + 2, width]; and where the end is, [B, L + 2, 1]. */
function textTower(scope: Scope, { tokens, length, ...config }: ClipConfig["text"]) {
  const { width } = config;
  const rows = tokens + 2;
  const T = length + 2;
  const table = scope.param("embeddings.token_embedding.weight", [rows, width], { kind: "normal", scale: SMALL });
  const position = scope.param("embeddings.position_embedding.weight", [T, width], { kind: "normal", scale: SMALL });
  const blocks = transformer(scope.child("encoder"), config, quickGelu);
  const last = layerNorm(scope.child("final_layer_norm"), width);
  return (f: Forward, ids: tf.Tensor1D) => {
    const { seen, end } = framed(ids, tokens, length);
    const B = end.shape[0]!;
    const embedded = tf.matMul(tf.reshape(seen, [B * T, rows]) as tf.Tensor2D, f.param(table) as tf.Tensor2D);
    const placed = tf.add(tf.reshape(embedded, [B, T, width]), f.param(position)) as tf.Tensor3D;
    return { words: last(f, blocks(f, placed, causalMask(T))), end };
  };
}

/**
 * Captions between a begin and an end, in operations alone: a recorded computation looks at no value.
 * @returns which token each is, float32 [B, T, rows] of ones and zeros, and where the end is, [B, T, 1].
 */
function framed(ids: tf.Tensor1D, tokens: number, length: number) {
  const B = ids.size / length;
  const rows = tokens + 2;
  const words = tf.reshape(tf.cast(tf.oneHot(ids, rows), "float32"), [B, length, rows]);
  const none = tf.slice(words, [0, 0, 0], [B, length, 1]);
  const some = tf.sub(1, none);
  const [one, zero] = [tf.ones([B, 1, 1]), tf.zeros([B, 1, 1])];
  // The first place that has no word, begin and end counted.
  const end = tf.concat([zero, tf.sub(tf.concat([one, some], 1), tf.concat([some, zero], 1))], 1);
  const token = (id: number) =>
    tf.tensor3d(
      Array.from({ length: rows }, (_, k) => Number(k === id)),
      [1, 1, rows],
    );
  const all = tf.concat([tf.mul(one, token(tokens)), words, tf.mul(one, token(0))], 1);
  return { seen: tf.add(tf.mul(all, tf.sub(1, end)), tf.mul(end, token(tokens + 1))), end };
}

export const clipOf = (fields: NetworkFields, image: ImageShape): Network => buildClip(clipConfig(fields, image));
