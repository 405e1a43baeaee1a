// The real images that others are measured against, and the rows that make their numbers readable.

import { dataSchema } from "../../../../shared/config/data.ts";
import type { ImageSet } from "../../../../shared/data/image-set.ts";
import { openImageSet } from "../../../../shared/data/open.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { blurred, noise, shuffledLabels } from "../../../../shared/eval/anchors.ts";
import { openJudges } from "../../../../shared/eval/judge.ts";
import { JUDGE_SIDE } from "../../../../shared/eval/judge-network.ts";
import { learnedOf } from "../../../../shared/eval/learned.ts";
import { examine, type LabelledImages, type Score, score } from "../../../../shared/eval/score.ts";

import { breathe } from "../../sampling.ts";

export interface RealImages {
  readonly train: ImageSet;
  readonly test: ImageSet;
}

/** Of the test images so many are the reference; as many others are there to be scored, so no more than this. */
export const MOST_IMAGES = 5000;
/** Which are the reference: the first, or the others, for whoever chooses among models. */
export const SPLITS = ["test", "validation"] as const;
export type Split = (typeof SPLITS)[number];
/** Of the reference, those whose distance to the training images says what is close. */
const MEASURED = 500;

/** Index of the first test image that is not of the reference. */
export const besideOf = (split: Split): number => (split === "test" ? MOST_IMAGES : 0);

/** @throws PlumeError UNAVAILABLE where Fashion-MNIST is not on this machine. */
export async function openReal(signal: AbortSignal): Promise<RealImages> {
  const data = dataSchema.parse({ source: "fashion-mnist" });
  const [train, test] = await Promise.all([
    openImageSet(data, { signal }),
    openImageSet(data, { split: "test", signal }),
  ]);
  if (train.fallback || test.fallback)
    throw new PlumeError("UNAVAILABLE", "the images of Fashion-MNIST are not here", { remedy: "npm run setup:data" });
  return { train, test };
}

export interface Scorer extends Disposable {
  score(images: LabelledImages): Promise<Score>;
  /** Floors, then anchors: so many images each. */
  readonly rows: readonly {
    readonly kind: "real" | "anchor";
    readonly name: string;
    readonly images: LabelledImages;
  }[];
}

/** The backend must be open. @param count at most MOST_IMAGES. @param learns whether classifiers are trained on each set. */
export async function openScorer(
  { train, test }: RealImages,
  { count, learns, split }: { readonly count: number; readonly learns: boolean; readonly split: Split },
  signal: AbortSignal,
): Promise<Scorer> {
  const part = (set: ImageSet, from: number, n: number) =>
    set.read(
      Array.from({ length: n }, (_, k) => from + k),
      signal,
    );
  const all = await part(train, 0, train.size);
  const judges = openJudges();
  const beside = besideOf(split);
  const real = await part(test, MOST_IMAGES - beside, MOST_IMAGES);
  const reference = examine(judges, real, all.pixels, MEASURED);
  const others = await part(test, beside, count);
  const size = JUDGE_SIDE * JUDGE_SIDE;
  return {
    async score(images) {
      await breathe(signal);
      const learned = learns ? await learnedOf(images, real, () => breathe(signal)) : undefined;
      return score({ ...examine(judges, images, all.pixels), learned }, reference);
    },
    rows: [
      { kind: "real", name: "real test images", images: others },
      {
        kind: "real",
        name: "training images",
        images: { pixels: all.pixels.subarray(0, count * size), labels: all.labels.subarray(0, count) },
      },
      {
        kind: "anchor",
        name: "test images, labels shuffled",
        images: { ...others, labels: shuffledLabels(others.labels) },
      },
      {
        kind: "anchor",
        name: "test images, blurred",
        images: { ...others, pixels: blurred(others.pixels, JUDGE_SIDE) },
      },
      { kind: "anchor", name: "noise", images: { ...others, pixels: noise(others.pixels.length, 0) } },
    ],
    [Symbol.dispose]: () => judges.dispose(),
  };
}
