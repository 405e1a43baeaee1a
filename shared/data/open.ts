// From a job's data to an image set.

import { PlumeError } from "../errors.ts";
import type { ImageSet, ImageSetCard } from "./image-set.ts";
import { limitSet } from "./limit.ts";
import { SOURCES } from "./sources/index.ts";
import type { Split } from "./sources/source.ts";

export interface OpenOptions {
  readonly split?: Split;
  readonly signal?: AbortSignal;
}

/** The part of a job that says which images. */
export interface DataSpec {
  readonly source: string;
  readonly imageSize: number;
  readonly limit?: number | undefined;
}

/** @throws PlumeError with the field, the value and a remedy. */
export async function openImageSet(data: DataSpec, { split = "train", signal }: OpenOptions = {}): Promise<ImageSet> {
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
export function checkClasses({ model }: { readonly model: { readonly classes: number } }, set: ImageSetCard): void {
  if (model.classes === 0 || model.classes === set.classes.length) return;
  const has = set.classes.length === 0 ? "has no labels" : `has ${set.classes.length} classes`;
  throw new PlumeError("INVALID_ARGUMENT", `model.classes is ${model.classes}, but ${set.name} ${has}`, {
    remedy: `set model.classes to ${set.classes.length}`,
  });
}
