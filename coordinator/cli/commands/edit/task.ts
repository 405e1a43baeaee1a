// The contract of a task of `plume edit`.

import type { PatchShape } from "../../../../shared/data/patch.ts";
import type { Column } from "../../../../shared/data/picture.ts";
import type { Edit, EditProgress, Subjects, Task } from "../../../../shared/editing/editor.ts";
import { seen, shown } from "../../../../shared/pipeline/pixels.ts";
import type { Embedder } from "../../../../shared/pipeline/towers.ts";
import type { Sampling } from "../../sampling.ts";

/** What a task is done to, once it is read. */
export interface Scene {
  readonly image: PatchShape;
  readonly patch: number;
  readonly sampling: Sampling;
  /** uint8 [n, height, width, channels]. */
  readonly pixels: Uint8Array;
  readonly subjects: Subjects;
  /** Of a decoder: the CLIP whose embeddings it is told. */
  readonly embedder?: Embedder | undefined;
}

/** Does a task to subjects, and shows how far it is. */
export type Work = (subjects: Subjects, task: Task) => ReturnType<Edit>;

export interface Edited {
  /** Of the grid, from left to right. */
  readonly columns: readonly Column[];
  /** What is new, for a file of arrays: uint8 [n, height, width, channels]. */
  readonly after: Uint8Array;
  /** What there is to say of it, for `--json` too. */
  readonly told?: Readonly<Record<string, number | string>>;
}

/** A task whose own options are read. */
export interface Prepared {
  /** What the sampler must be able to do. */
  readonly needs: "anything" | "steps" | "inversion" | "variation";
  /** Instead of the job's, where no option names one. */
  readonly guidance?: number;
  /** Whether an image keeps its label where it has one. */
  readonly keepsLabels?: boolean;
  /** Whether a decoder is told the embedding of each image: always, for it is what the task is about, or where the model is one. */
  readonly embeds?: "always" | "perhaps";
  /** Images may be so many times smaller, and are then taken for the means of squares. */
  readonly enlarges?: number;
  /** Checks what it is done to. @throws PlumeError naming the option, its value and the remedy. @returns the work. */
  open(scene: Scene): Promise<(work: Work) => Promise<Edited>>;
}

export type Given = Readonly<Record<string, string | undefined>>;

export interface EditTask {
  readonly about: string;
  /** What follows `plume edit NAME runs/RUN`. */
  readonly examples: readonly string[];
  /** Of these; fashion when absent. */
  readonly run?: string;
  /** Of its own. */
  readonly options: readonly (readonly [flags: string, about: string, fallback?: string])[];
  /** @throws PlumeError INVALID_ARGUMENT before anything is opened. */
  prepare(given: Given): Prepared;
}

/** What a task has made, as people see it. */
export const asPixels = (floats: Float32Array, { image, patch }: Scene): Uint8Array => shown(floats, image, patch);

/** float32 [n, height, width, channels] as the network sees it. */
export const asSeen = (floats: Float32Array, { image, patch }: Scene): Float32Array => seen(floats, image, patch);

/** float32 [H / p, W / p, C p p] of one image among several. */
export const sizeOf = ({ image: { height, width, channels } }: Scene): number => height * width * channels;

export const progressText = ({ images, inHand, step, steps }: EditProgress, n: number): string =>
  `  images ${images + 1} to ${images + inHand} of ${n}: step ${step} of ${steps}`;

/**
 * Each subject so many times, one behind the other, for a row of images of each.
 * @param shift of the key of the k-th of a row: other noise.
 */
export function repeatedRows(subjects: Subjects, times: number, shift = (k: number) => k): Subjects {
  const n = subjects.keys.length;
  const all = Array.from({ length: n * times }, (_, k) => Math.floor(k / times));
  const repeated = (values: Float32Array): Float32Array => {
    const size = values.length / n;
    const out = new Float32Array(values.length * times);
    all.forEach((i, k) => out.set(values.subarray(i * size, (i + 1) * size), k * size));
    return out;
  };
  return {
    values: repeated(subjects.values),
    keys: all.map((i, k) => (subjects.keys[i]! + shift(k % times)) >>> 0),
    labels: subjects.labels && all.map((i) => subjects.labels![i]!),
    embeddings: subjects.embeddings && repeated(subjects.embeddings),
  };
}

/** Rows of images as columns. @param pixels uint8 [n, times, size]. @returns uint8 [n, size] of each. */
export function columnsOfRows(pixels: Uint8Array, size: number, n: number): Uint8Array[] {
  const times = pixels.length / (size * n);
  return Array.from({ length: times }, (_, k) => {
    const column = new Uint8Array(n * size);
    for (let row = 0; row < n; row++)
      column.set(pixels.subarray((row * times + k) * size, (row * times + k + 1) * size), row * size);
    return column;
  });
}
