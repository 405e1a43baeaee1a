// CLIP on a device: a micro-batch of its training, and what a trained one makes of pictures and captions. Whom a sample is told from are
// the other samples of its micro-batch, and no others: so the loss is a function of the micro-batch alone, whoever computes it.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import { ofLength } from "../diffusion/embeddings.ts";
import { invariant } from "../invariant.ts";
import type { Forward, Towers } from "../nn/network.ts";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { objectiveKind } from "../objectives/index.ts";
import type { FeaturesObjective } from "../objectives/objective.ts";
import { tokensOf } from "../scenes/tokens.ts";
import { MOST_WORDS } from "../scenes/words.ts";
import type { Layout } from "../tensor/layout.ts";
import { feedText } from "./captions.ts";
import { inference, named } from "./device-params.ts";
import type { FrozenNetwork } from "./frozen.ts";
import { normalise } from "./images.ts";
import type { ComputeMicroBatch } from "./micro-batch.ts";
import { readGradient } from "./read-gradient.ts";
import { shuffleShape } from "./shape.ts";

interface Drawn {
  /** float32 [n, h, w, c], as the network sees it. */
  readonly x: Float32Array;
  /** Words of the captions. */
  readonly text: Int32Array;
}

export function createTowersMicroBatch(
  spec: JobSpec,
  towers: Towers,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
): ComputeMicroBatch {
  const { data, diffusion } = spec;
  const kind = objectiveKind(diffusion.objective);
  invariant(kind.asks === "towers", `${diffusion.objective} is a loss of two towers`);
  const loading = kind.load();
  const { height, width, channels } = shuffleShape(image, data.patch);

  const computation =
    (objective: FeaturesObjective, n: number, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const x = feed([n, height, width, channels], "float32", () => drawn().x) as tf.Tensor4D;
      const text = feedText(feed, spec, n, () => drawn().text);
      const { value, grads } = tf.valueAndGrads((...own: tf.Tensor[]) => {
        const f = inference(named(layout.tensors, own));
        return objective(towers.images(f, x), towers.texts(f, text), towers.logScale(f)).loss;
      })([...params]);
      return [value, ...grads];
    };

  let current: Drawn;
  const programOf = programsBySize(program);
  return async (params, { pixels, labels, captions }, gradient) => {
    const objective = await loading;
    const n = labels.length;
    invariant(captions, "rules give a job of two towers a source with captions");
    current = { x: normalise(pixels, image, data.patch), text: tokensOf(captions) };
    const outputs = programOf(n, () => computation(objective, n, () => current)).run(params.tensors);
    const [loss] = await readGradient(outputs, layout.tensors, gradient);
    return loss!;
  };
}

/** Embeddings as networks are told them: of length sqrt(D), so that their numbers are about 1. float32 [B, D]. */
const told = (features: tf.Tensor2D): tf.Tensor2D => ofLength(Math.sqrt(features.shape[1]))(features) as tf.Tensor2D;

/** Of images as CLIP sees them. */
export const imageEmbedding = (towers: Towers, f: Forward, x: tf.Tensor4D): tf.Tensor2D => told(towers.images(f, x));

/** Whether captions, int32 [B L], have a word: float32 [B, 1] of ones and zeros. */
export const saysAny = (ids: tf.Tensor1D): tf.Tensor =>
  tf.minimum(tf.sum(tf.reshape(tf.cast(ids, "float32"), [-1, MOST_WORDS]), 1, true), 1);

/** Of captions, int32 [B L]; of zeros where there is no word. */
export const textEmbedding = (towers: Towers, f: Forward, ids: tf.Tensor1D): tf.Tensor2D =>
  tf.mul(told(towers.texts(f, ids)), saysAny(ids)) as tf.Tensor2D;

/** A trained CLIP, asked. What it gives is the caller's to dispose: float32 [n, D]. */
export interface Embedder {
  /** Of pictures, uint8 [n, H, W, C]. */
  images(pixels: Uint8Array): tf.Tensor2D;
  /** Of captions' words, int32 [n L]. */
  texts(words: Int32Array): tf.Tensor2D;
}

/** Of embeddings that are at hand no more then. */
export async function numbersOf(embeddings: tf.Tensor): Promise<Float32Array> {
  const numbers = await embeddings.data<"float32">();
  embeddings.dispose();
  return numbers;
}

/** @param image of the pictures. */
export function createEmbedder(
  { spec, network, params }: FrozenNetwork,
  image: PatchShape,
  program: MakeProgram,
): Embedder {
  const { towers } = network;
  invariant(towers, "a clip has two towers");
  const { patch } = spec.data;
  const { height, width, channels } = shuffleShape(image, patch);
  const size = image.height * image.width * image.channels;
  const forward = (tensors: readonly tf.Tensor[]) => inference(named(network.params, tensors));
  const asking = <A>(computation: (n: number, asked: () => A) => Computation) => {
    let asked: A;
    const programOf = programsBySize(program);
    return (n: number, question: A): tf.Tensor2D => {
      asked = question;
      return programOf(n, () => computation(n, () => asked)).run(params.tensors)[0] as tf.Tensor2D;
    };
  };
  const images = asking<Uint8Array>((n, asked) => (feed, tensors) => {
    const x = feed([n, height, width, channels], "float32", () => normalise(asked(), image, patch)) as tf.Tensor4D;
    return [imageEmbedding(towers, forward(tensors), x)];
  });
  const texts = asking<Int32Array>((n, asked) => (feed, tensors) => [
    textEmbedding(towers, forward(tensors), feedText(feed, spec, n, asked)),
  ]);
  return {
    images: (pixels) => images(pixels.length / size, pixels),
    texts: (words) => texts(words.length / MOST_WORDS, words),
  };
}
