// What a classifier learns of a set of images, trained on it from fresh weights: whether it is worth as much as real ones, and
// whether it can be told from them.

import type { ImageBatch } from "../data/image-set.ts";
import { sampleIds } from "../data/order.ts";
import { permute } from "../data/permutation.ts";
import { openNetworkJudge } from "./judge.ts";
import { JUDGE_CLASSES, JUDGE_SIDE, JUDGES } from "./judge-network.ts";
import { learn } from "./learn.ts";
import type { LabelledImages } from "./score.ts";

export interface Learned {
  /** null where nobody said what the images show. */
  readonly classificationAccuracy: number | null;
  readonly twoSample: number;
}

/** @param real at least as many, of which none is among the images. */
export async function learnedOf(
  { pixels, labels }: LabelledImages,
  real: ImageBatch,
  breathe: Breathe,
): Promise<Learned> {
  return {
    classificationAccuracy: labels && (await classificationAccuracyScore({ pixels, labels }, real, breathe)),
    twoSample: await twoSampleAccuracy(pixels, real.pixels, breathe),
  };
}

/** As many steps whatever the number of images: sets are compared at the same number. */
const RECIPE = { seed: 2, steps: 150, rate: 3e-3 } as const;
const BATCH = 50;
const SIZE = JUDGE_SIDE * JUDGE_SIDE;

/** May await to let others run, or throw to stop. */
type Breathe = () => Promise<void>;

/**
 * The classification accuracy score (Ravuri and Vinyals 2019): a classifier that was trained on these images alone, under the
 * labels that they were asked for, names so large a share of real ones.
 */
const classificationAccuracyScore = (images: ImageBatch, real: ImageBatch, breathe: Breathe): Promise<number> =>
  accuracyOf({ train: images, test: real, classes: JUDGE_CLASSES }, breathe);

/**
 * The classifier two-sample test (Lopez-Paz and Oquab 2017, Sec. 3): a classifier that was trained to tell half of the images from
 * as many real ones tells so large a share of the other halves, one half being chance, give or take 1 / (2 sqrt n) for n images of
 * each kind.
 * @param pixels uint8 [n, 28, 28, 1]. @param real at least as many.
 */
function twoSampleAccuracy(pixels: Uint8Array, real: Uint8Array, breathe: Breathe): Promise<number> {
  const n = pixels.length / SIZE;
  const order = Array.from({ length: n }, (_, k) => permute(RECIPE.seed, 0, n, k));
  const part = (from: number, to: number): ImageBatch => {
    const ids = order.slice(from, to);
    return {
      pixels: Buffer.concat([pixels, real].flatMap((set) => ids.map((id) => imageOf(set, id)))),
      labels: Int32Array.from({ length: 2 * ids.length }, (_, k) => Number(k >= ids.length)),
    };
  };
  const half = n >> 1;
  return accuracyOf({ train: part(0, half), test: part(half, n), classes: 2 }, breathe);
}

const imageOf = (pixels: Uint8Array, id: number): Uint8Array => pixels.subarray(id * SIZE, (id + 1) * SIZE);

interface Exam {
  readonly train: ImageBatch;
  readonly test: ImageBatch;
  readonly classes: number;
}

/** Of the architecture of the judge of labels. */
async function accuracyOf({ train, test, classes }: Exam, breathe: Breathe): Promise<number> {
  const network = JUDGES.labels.build(classes);
  const n = train.labels.length;
  const batch = Math.min(BATCH, n);
  const order = { seed: RECIPE.seed, datasetSize: n, globalBatch: batch, microBatch: batch };
  const flat = await learn(network, {
    ...RECIPE,
    read(step) {
      const ids = sampleIds(order, step, 0);
      return {
        pixels: Buffer.concat(ids.map((id) => imageOf(train.pixels, id))),
        labels: Int32Array.from(ids, (id) => train.labels[id]!),
      };
    },
    onStep: breathe,
  });
  const judge = openNetworkJudge(network, flat);
  try {
    const named = judge.classes(test.pixels);
    return named.filter((label, i) => label === test.labels[i]).length / named.length;
  } finally {
    judge.dispose();
  }
}
