// The parts that ADM's networks share: what they are told, the way down with the middle, the way up. Blocks apply to
// x [B, H, W, C] and what they are told.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import { attentionBlock } from "../nn/attention.ts";
import { cosSinEmbedding } from "../nn/embeddings.ts";
import { silu } from "../nn/fused.ts";
import { conv2d, dense, downsample, embedding, project, type Scope, upsample } from "../nn/layers.ts";
import type { Forward, NetworkInput } from "../nn/network.ts";
import { textEncoder } from "../nn/text-encoder.ts";
import { resBlock } from "./res-block.ts";
import { besideC, blocksOf, headsOf, levelChannels, sinusoidsOf, type UnetConfig } from "./unet-config.ts";

/** What the blocks of a network are told. */
export interface Told {
  /** The embedding of time, class and the like, after its SiLU: float32 [B, D]. */
  readonly emb: tf.Tensor2D;
  /** The words of the captions, and those of an embedding: float32 [B, L, width]; null without any. */
  readonly text: tf.Tensor3D | null;
}

export type Block = (f: Forward, x: tf.Tensor4D, told: Told) => tf.Tensor4D;

/** A block of the way up; `join` says that it takes a skip beside its input. */
export interface UpBlock {
  readonly block: Block;
  readonly join: boolean;
}

/**
 * Time and class as one embedding, to which the mean of a caption's words is added (Saharia et al. 2022, Sec. 2.3), and CLIP's embedding
 * of the image, which makes four more words (Ramesh et al. 2022, Sec. 2.1).
 */
export function conditioning(scope: Scope, config: UnetConfig) {
  const embed = timeEmbedding(scope, config);
  const more = [captionWords(scope, config), imageWords(scope, config)].filter((each) => each !== null);
  return (f: Forward, input: NetworkInput): Told => {
    const told = more.map((each) => each(f, input));
    const emb = told.reduce((sum, { pooled }) => tf.add(sum, pooled) as tf.Tensor2D, embed(f, input));
    const words = told.map((each) => each.words);
    return { emb: silu(emb), text: words.length > 1 ? tf.concat(words, 1) : (words[0] ?? null) };
  };
}

/** What is attended to, float32 [B, L, width], and what of it joins the time embedding. */
type Words = (f: Forward, input: NetworkInput) => { readonly words: tf.Tensor3D; readonly pooled: tf.Tensor2D };

function captionWords(scope: Scope, config: UnetConfig): Words | null {
  if (!config.text) return null;
  const read = textEncoder(scope.child("text_encoder"), config.text);
  const project = dense(scope.child("text_embedding"), config.text.width, 4 * sinusoidsOf(config));
  return (f, { text, x }) => {
    if (!text)
      throw new PlumeError("INVALID_ARGUMENT", "a network that reads captions was given none", {
        remedy: "pass words that are 0 where there is none",
      });
    const { words, pooled } = read(f, text, x.shape[0]);
    return { words, pooled: project(f, pooled) };
  };
}

const IMAGE_WORDS = 4;

function imageWords(scope: Scope, config: UnetConfig): Words | null {
  const { embedding: D } = config;
  if (D === undefined) return null;
  const C = besideC(config)!;
  const pooled = dense(scope.child("image_embedding"), D, 4 * sinusoidsOf(config));
  const words = dense(scope.child("image_words"), D, IMAGE_WORDS * C);
  return (f, { embedding }) => {
    if (!embedding)
      throw new PlumeError("INVALID_ARGUMENT", "a network that is told an image's embedding was given none", {
        remedy: "pass zeros where there is none",
      });
    return { words: tf.reshape(words(f, embedding), [-1, IMAGE_WORDS, C]), pooled: pooled(f, embedding) };
  };
}

/** emb = MLP(sinusoids(t) + augmentation) + class. */
function timeEmbedding(scope: Scope, config: UnetConfig) {
  const { classRows, augmentLabels } = config;
  const sinusoids = sinusoidsOf(config);
  const dim = 4 * sinusoids;
  const linear1 = dense(scope.child("time_embedding.linear_1"), sinusoids, dim);
  const linear2 = dense(scope.child("time_embedding.linear_2"), dim, dim);
  const classes = classRows > 0 ? embedding(scope.child("class_embedding"), classRows, dim) : null;
  const told = augmentLabels ? project(scope.child("augment_embedding"), augmentLabels, sinusoids) : null;
  const level = config.lowRes === "augmented" ? levelEmbedding(scope.child("aug_embedding"), sinusoids, dim) : null;
  return (f: Forward, input: NetworkInput): tf.Tensor2D => {
    const { t, y, augment } = input;
    const waves = cosSinEmbedding(t, sinusoids);
    const seen = told && augment ? (tf.add(waves, told(f, augment)) as tf.Tensor2D) : waves;
    const steps = linear2(f, silu(linear1(f, seen)));
    const time = level ? (tf.add(steps, level(f, input)) as tf.Tensor2D) : steps;
    if (!classes) return time;
    if (!y)
      throw new PlumeError("INVALID_ARGUMENT", `a network of ${classRows} classes was given no labels`, {
        remedy: "pass the row that means no label where there is none",
      });
    return tf.add(time, classes(f, y)) as tf.Tensor2D;
  };
}

/** Of the level of conditioning augmentation: Saharia et al. 2022, Section 2.4; added to that of the time. */
function levelEmbedding(scope: Scope, sinusoids: number, dim: number) {
  const linear1 = dense(scope.child("linear_1"), sinusoids, dim);
  const linear2 = dense(scope.child("linear_2"), dim, dim);
  return (f: Forward, { lowRes }: NetworkInput): tf.Tensor2D =>
    linear2(f, silu(linear1(f, cosSinEmbedding(lowRes!.level!, sinusoids))));
}

function parts(config: UnetConfig) {
  const { groups, eps, dropout, scaleShift } = config;
  const embC = 4 * sinusoidsOf(config);
  const residual = (scope: Scope, inC: number, outC: number, resample?: "up" | "down"): Block => {
    const block = resBlock(scope, { inC, outC, embC, groups, eps, dropout, scaleShift, resample });
    return (f, x, { emb }) => block(f, x, emb);
  };
  const attention = (scope: Scope, channels: number): Block => {
    const block = attentionBlock(scope, channels, {
      ...{ heads: headsOf(config, channels), groups, eps },
      textC: besideC(config),
    });
    return (f, x, { text }) => block(f, x, text);
  };
  return { residual, attention };
}

/** The way down: every block's output is a skip. `skipC` are their channels, in order. */
export function encoder(scope: Scope, config: UnetConfig): { down: Block[]; middle: Block; skipC: number[] } {
  const { attentionLevels, resample } = config;
  const { residual, attention } = parts(config);
  const widths = levelChannels(config);
  let C = widths[0]!;
  const convIn = conv2d(scope.child("conv_in"), config.inC, C, 3);
  const down: Block[] = [convIn];
  const skipC = [C];
  widths.forEach((outC, level) => {
    const here = scope.child(`down_blocks.${level}`);
    for (let i = 0; i < blocksOf(config, level); i++) {
      const block = residual(here.child(`resnets.${i}`), C, outC);
      const attend = attentionLevels.includes(level) ? attention(here.child(`attentions.${i}`), outC) : null;
      down.push(attend ? (f, x, told) => attend(f, block(f, x, told), told) : block);
      C = outC;
      skipC.push(C);
    }
    if (level < widths.length - 1) {
      const at = here.child("downsamplers.0");
      down.push(resample === "resblock" ? residual(at, C, C, "down") : downsample(at.child("conv"), C));
      skipC.push(C);
    }
  });
  const mid = scope.child("mid_block");
  const first = residual(mid.child("resnets.0"), C, C);
  const attend = attention(mid.child("attentions.0"), C);
  const second = residual(mid.child("resnets.1"), C, C);
  return { down, middle: (f, x, told) => second(f, attend(f, first(f, x, told), told), told), skipC };
}

/** The way up: blocks that take a skip (`join`) and upsamplers that do not. */
export function decoder(scope: Scope, config: UnetConfig, skipC: readonly number[]): UpBlock[] {
  const { attentionLevels, resample } = config;
  const { residual, attention } = parts(config);
  const widths = levelChannels(config);
  const levels = widths.length;
  const skips = [...skipC];
  const up: UpBlock[] = [];
  let C = widths[levels - 1]!;
  for (let level = levels - 1; level >= 0; level--) {
    const here = scope.child(`up_blocks.${levels - 1 - level}`);
    const outC = widths[level]!;
    for (let i = 0; i <= blocksOf(config, level); i++) {
      const block = residual(here.child(`resnets.${i}`), C + skips.pop()!, outC);
      const attend = attentionLevels.includes(level) ? attention(here.child(`attentions.${i}`), outC) : null;
      up.push({ join: true, block: attend ? (f, x, told) => attend(f, block(f, x, told), told) : block });
      C = outC;
    }
    if (level > 0) {
      const at = here.child("upsamplers.0");
      up.push({
        join: false,
        block: resample === "resblock" ? residual(at, C, C, "up") : upsample(at.child("conv"), C),
      });
    }
  }
  return up;
}
