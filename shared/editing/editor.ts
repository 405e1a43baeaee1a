// Images to a model and back: which are computed together, whose noise is whose. A task sees some images and a way from noise to
// them; what it makes of an image must not depend on the others.

import * as tf from "@tensorflow/tfjs-core";
import type { PatchShape } from "../data/patch.ts";
import { createCodes } from "../pipeline/codes.ts";
import { createDenoisers, type DenoiserOptions, type Denoisers } from "../pipeline/denoiser.ts";
import { type Manner, type Way, wayOf } from "../pipeline/draw.ts";
import { imageRandom } from "../pipeline/pixels.ts";
import { shuffleShape } from "../pipeline/shape.ts";
import { batchesOf } from "../pipeline/tiles.ts";
import { crc32 } from "../rng/crc32.ts";
import { PURPOSE } from "../rng/stream.ts";
import { isAdaptive, levelSampler, type SamplerName } from "../samplers/index.ts";

export interface EditorOptions extends DenoiserOptions, Manner {
  /** Shape of an image as people see it. */
  readonly image: PatchShape;
  readonly sampler: SamplerName;
  readonly guidance: number;
  readonly seed: number;
  /** Images computed together: bounds the memory; what comes out does not depend on it. */
  readonly batch: number;
}

export interface Subjects {
  /** float32 [n, H / p, W / p, C p p], as the network sees them: images in [-1, 1], or their encodings. */
  readonly values: Float32Array;
  /** By which an image's noise is drawn, one each: uint32. */
  readonly keys: readonly number[];
  /** One each, the model's number of classes for none; null for a model without classes. */
  readonly labels: readonly number[] | null;
  /** CLIP's, of a decoder that is told them, float32 [n D]; without any it draws as it does without. */
  readonly embeddings?: Float32Array | undefined;
}

/** Some of the subjects, in hand. */
export interface Bench {
  /** float32 [B, H / p, W / p, C p p]; stays the editor's. */
  readonly x: tf.Tensor4D;
  /** Which of the subjects they are. */
  readonly indices: readonly number[];
  readonly denoise: Denoisers;
  /** @param denoise the bench's own where absent. @param eta the manner's own where absent. */
  way(denoise?: Denoisers, eta?: number): Promise<Way>;
  /** Standard normal of x's shape, each image's from streams of its own: other numbers at every call. */
  noise(): tf.Tensor;
  onStep(done: number, total: number): Promise<void> | void;
}

/** @returns float32 [B, H / p, W / p, C p p], the editor's to dispose. */
export type Task = (bench: Bench) => Promise<tf.Tensor>;

/** @param onStep may await to let others run, or throw to stop. @returns what the task makes of each subject. */
export type Edit = (
  subjects: Subjects,
  task: Task,
  onStep?: (progress: EditProgress) => Promise<void> | void,
) => Promise<Float32Array>;

export interface EditProgress {
  /** Images that are done, and those in hand. */
  readonly images: number;
  readonly inHand: number;
  /** Steps of those in hand. */
  readonly step: number;
  readonly steps: number;
}

/** The key of an image: its pixels' own, so that its noise is the same wherever it stands. @param pixels uint8. */
export const imageKey = (pixels: Uint8Array): number => crc32(pixels);

export function createEditor(options: EditorOptions): Edit {
  const { spec, image, sampler, guidance, seed, batch } = options;
  const { patch } = spec.data;
  const { height, width, channels } = shuffleShape(image, patch);
  const size = height * width * channels;
  const denoisers = createDenoisers(options);
  const { density } = options.network;
  const codes = density && createCodes(options, density);
  const together = isAdaptive(sampler) ? 1 : batch;

  const benchOf = (subjects: Subjects, indices: readonly number[], onStep: Bench["onStep"]): Bench => {
    const { values, keys, labels, embeddings } = subjects;
    const [first, n] = [indices[0]!, indices.length];
    const x = tf.tensor4d(values.slice(first * size, (first + n) * size), [n, height, width, channels]);
    const own = indices.map((index) => keys[index]!);
    const D = spec.model.embedding ?? 0;
    const asked = labels && Int32Array.from(indices, (index) => labels[index]!);
    const embedding = embeddings?.slice(first * D, (first + n) * D);
    const denoise = denoisers({ labels: asked, guidance, embedding });
    let calls = 0;
    return {
      x,
      indices,
      denoise,
      way: async (given = denoise, eta = options.eta) =>
        codes ? codes(asked) : wayOf(levelSampler(sampler), { ...options, eta, denoise: given }),
      noise: () => imageRandom({ seed, purpose: PURPOSE.editNoise, step: calls++ }, own, image, patch).normals(),
      onStep,
    };
  };

  return async (subjects, task, onStep = () => {}) => {
    const n = subjects.keys.length;
    const out = new Float32Array(subjects.values.length);
    for (const indices of batchesOf(n, together)) {
      const images = indices[0]!;
      const progress = (step: number, all: number) => onStep({ images, inHand: indices.length, step, steps: all });
      const bench = benchOf(subjects, indices, progress);
      try {
        const made = await task(bench);
        out.set(await made.data<"float32">(), images * size);
        made.dispose();
      } finally {
        bench.x.dispose();
      }
    }
    return out;
  };
}
