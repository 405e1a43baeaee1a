// From data.source to an image set: the table of sources.

import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import { openCifar } from "./cifar.ts";
import { openFashionMnist } from "./fashion-mnist.ts";
import { findIdxPair, readIdx } from "./idx.ts";
import type { ImageSet, ImageSetCard } from "./image-set.ts";
import { openImages } from "./images.ts";
import { limitSet } from "./limit.ts";
import { memorySet } from "./memory-set.ts";
import { resizeAll } from "./resize.ts";
import { DEFAULT_SHAPES, openShapes } from "./shapes.ts";

export interface OpenOptions {
  readonly split?: "train" | "test";
  readonly signal?: AbortSignal;
}

interface Source {
  readonly usage: string;
  readonly about: string;
  open(argument: string, imageSize: number, split: "train" | "test", signal?: AbortSignal): Promise<ImageSet>;
}

export const SOURCES: Readonly<Record<string, Source>> = {
  "fashion-mnist": {
    usage: "fashion-mnist",
    about: "60,000 grey images of clothing, 28x28, ten classes",
    async open(_argument, imageSize, split, signal) {
      try {
        return await openFashionMnist(imageSize, split, signal);
      } catch (error) {
        if (!(error instanceof PlumeError) || error.code !== "UNAVAILABLE") throw error;
        const fallback = `Fashion-MNIST is not here (${error.message}): trained on the procedural shapes instead. Run npm run setup:data for the real images`;
        return { ...openShapes(DEFAULT_SHAPES, imageSize), fallback };
      }
    },
  },
  shapes: {
    usage: "shapes:[COUNT]",
    about: "procedural shapes of any size, ten classes; needs no file",
    async open(argument, imageSize) {
      const count = argument === "" ? DEFAULT_SHAPES : Number(argument);
      if (!Number.isInteger(count) || count < 1 || count > 1_000_000)
        throw new PlumeError(
          "INVALID_ARGUMENT",
          `data.source shapes:${argument}: the count must be a whole number from 1 to 1000000`,
        );
      return openShapes(count, imageSize);
    },
  },
  idx: {
    usage: "idx:DIR",
    about: "IDX files as MNIST has them, plain or gzipped",
    async open(folder, imageSize, split) {
      const pair = findIdxPair(folder, split);
      const images = await readIdx(pair.images, 3);
      const labels = await readIdx(pair.labels, 1);
      const [count, height, width] = images.shape as [number, number, number];
      if (labels.shape[0] !== count)
        throw new PlumeError(
          "INVALID_ARGUMENT",
          `${pair.labels} has ${labels.shape[0]} labels for the ${count} images of ${pair.images}`,
          { remedy: "use the files of one data set" },
        );
      if (count === 0) throw new PlumeError("INVALID_ARGUMENT", `${pair.images} holds no image`);
      const classes = Array.from({ length: Math.max(...labels.values) + 1 }, (_, k) => String(k));
      const pixels = resizeAll(images.values, height, width, 1, imageSize);
      return memorySet({
        name: `idx:${folder}`,
        pixels,
        labels: labels.values,
        height: imageSize,
        width: imageSize,
        channels: 1,
        classes,
      });
    },
  },
  cifar: {
    usage: "cifar:DIR",
    about: "CIFAR-10's binary batches",
    open: openCifar,
  },
  images: {
    usage: "images:DIR",
    about: "a folder of PNG, JPEG and WebP images, one subfolder a class",
    open: openImages,
  },
};

/** @throws PlumeError with the field, the value and a remedy. */
export async function openImageSet(
  data: JobSpec["data"],
  { split = "train", signal }: OpenOptions = {},
): Promise<ImageSet> {
  const colon = data.source.indexOf(":");
  const kind = colon < 0 ? data.source : data.source.slice(0, colon);
  const source = Object.hasOwn(SOURCES, kind) ? SOURCES[kind] : undefined;
  if (!source)
    throw new PlumeError("INVALID_ARGUMENT", `data.source ${data.source} is unknown`, {
      remedy: `use one of ${Object.values(SOURCES)
        .map(({ usage }) => usage)
        .join(", ")}`,
    });
  const set = await source.open(colon < 0 ? "" : data.source.slice(colon + 1), data.imageSize, split, signal);
  return data.limit === undefined || data.limit >= set.size ? set : limitSet(set, data.limit);
}

/** @throws PlumeError INVALID_ARGUMENT when the model's classes are not the set's. */
export function checkClasses({ model }: JobSpec, set: ImageSetCard): void {
  if (model.classes === 0 || model.classes === set.classes.length) return;
  const has = set.classes.length === 0 ? "has no labels" : `has ${set.classes.length} classes`;
  throw new PlumeError("INVALID_ARGUMENT", `model.classes is ${model.classes}, but ${set.name} ${has}`, {
    remedy: `set model.classes to ${set.classes.length}`,
  });
}
