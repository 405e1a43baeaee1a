// CLIP's embeddings in training: what a decoder is told of its images, dropped now and then, and what a prior learns to draw of theirs,
// told that of the caption (Ramesh et al. 2022). A caption that is dropped has no embedding either.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import { NETWORKS } from "../models/index.ts";
import type { Forward } from "../nn/network.ts";
import type { Feed } from "../nn/program.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";
import { inference } from "./device-params.ts";
import type { FrozenNetwork } from "./frozen.ts";
import { normalise } from "./images.ts";
import { shuffleShape } from "./shape.ts";
import { imageEmbedding, textEmbedding } from "./towers.ts";

/** What a micro-batch draws, on the host. */
export interface Embedded {
  /** Its images as CLIP sees them: float32 [n, h, w, c]. */
  readonly seen: Float32Array;
  /** 1 of an image whose embedding is told, 0 of one whose is not: float32 [n]. */
  readonly kept: Float32Array;
}

/** What a micro-batch is about, on the device. */
interface Inside {
  /** Of a prior: float32 [n, 1, 1, D]. */
  readonly x0?: tf.Tensor;
  /** What the network is told: float32 [n, D]. */
  readonly embedding: tf.Tensor2D;
}

/** Of a job with a clip; undefined for any other. @param image of the data set. */
export function createEmbedding(
  { seed, diffusion, model }: JobSpec,
  image: PatchShape,
  clip: FrozenNetwork | undefined,
) {
  if (!clip) return undefined;
  const { towers } = clip.network;
  const { patch } = clip.spec.data;
  const { height, width, channels } = shuffleShape(image, patch);
  const draws = NETWORKS[model.type].gives === "embedding";
  return {
    draw(shown: Uint8Array, at: { readonly step: number; readonly index: number }): Embedded {
      const seen = normalise(shown, image, patch);
      const n = seen.length / (height * width * channels);
      const drops = uniforms({ seed, purpose: PURPOSE.embeddingDrop, ...at }, n);
      return { seen, kept: Float32Array.from(drops, (u) => Number(u >= diffusion.embeddingDrop)) };
    },
    /** @param param of the clip. @param text the words of the captions, fed anew. */
    inside(feed: Feed, n: number, param: Forward["param"], drawn: () => Embedded, text: () => tf.Tensor1D): Inside {
      const f = inference(param);
      const x = feed([n, height, width, channels], "float32", () => drawn().seen) as tf.Tensor4D;
      const images = imageEmbedding(towers!, f, x);
      if (draws)
        return { x0: tf.reshape(images, [n, 1, 1, towers!.embedding]), embedding: textEmbedding(towers!, f, text()) };
      const kept = feed([n, 1], "float32", () => drawn().kept);
      return { embedding: tf.mul(images, kept) as tf.Tensor2D };
    },
  };
}

/** Of `rows` embeddings; those beyond the given ones are none. */
export const feedEmbedding = (
  feed: Feed,
  [rows, D]: readonly [number, number],
  given: () => Float32Array | undefined,
): tf.Tensor2D =>
  feed([rows, D], "float32", () => {
    const all = new Float32Array(rows * D);
    all.set(given() ?? []);
    return all;
  }) as tf.Tensor2D;
