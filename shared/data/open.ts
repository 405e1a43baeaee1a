// From a job's data to an image set.

import { existsSync } from "node:fs";
import { cacheFolder } from "../cache-folder.ts";
import { PlumeError } from "../errors.ts";
import type { StoreAccess } from "../store/access.ts";
import { noCache, openDiskCache, type RangeCache } from "./disk-cache.ts";
import type { ImageSet, ImageSetCard } from "./image-set.ts";
import { limitSet } from "./limit.ts";
import { type OnSkip, skipCorrupt } from "./skip-corrupt.ts";
import { SOURCES } from "./sources/index.ts";
import type { Source, SourceContext } from "./sources/source.ts";

/** What of a source's context an opener may say. */
export interface OpenOptions extends Partial<Pick<SourceContext, "split" | "signal" | "copy">> {
  /** How an object store is reached: the job's spec.store. */
  readonly access?: StoreAccess;
  /** Called once for each sample that is skipped. */
  readonly onSkip?: OnSkip;
}

/** The part of a job that says which images. */
export interface DataSpec {
  readonly source: string;
  readonly imageSize: number;
  readonly limit?: number | undefined;
  /** What becomes of a sample that cannot be decoded. */
  readonly onError: "fail" | "skip";
  /** Of the disk cache; 0 for none. */
  readonly cacheMiB: number;
  readonly cacheDir?: string | undefined;
}

/** @throws PlumeError with the field, the value and a remedy. */
export async function openImageSet(data: DataSpec, options: OpenOptions = {}): Promise<ImageSet> {
  const colon = data.source.indexOf(":");
  const kind = colon < 0 ? data.source : data.source.slice(0, colon);
  const source = Object.hasOwn(SOURCES, kind) ? SOURCES[kind] : undefined;
  if (!source)
    throw new PlumeError("INVALID_ARGUMENT", `data.source ${data.source} is unknown`, {
      remedy: `use one of ${Object.values(SOURCES)
        .map(({ usage }) => usage)
        .join(", ")}`,
    });
  const { split = "train", access = {}, onSkip, ...rest } = options;
  const context = { imageSize: data.imageSize, split, access, cache: openCache(data), ...rest };
  const argument = colon < 0 ? "" : data.source.slice(colon + 1);
  if (isOnDisk(source) && !existsSync(argument)) throw absent(data.source, argument);
  const set = await source.open(argument, context);
  const limited = data.limit === undefined || data.limit >= set.size ? set : limitSet(set, data.limit);
  return data.onError === "skip" ? skipCorrupt(limited, onSkip) : limited;
}

const isOnDisk = ({ usage }: Source): boolean => /:(DIR|FILE)$/.test(usage);

/** What is on a laptop is in no pod of a cluster. */
const absent = (source: string, path: string) =>
  new PlumeError("NOT_FOUND", `data.source ${source}: there is no ${path || "path"} here`, {
    remedy: "name what is on this machine; in a cluster, what is in the pods' image, or a URL (s3://, wds:, parquet:)",
  });

const openCache = ({ cacheMiB, cacheDir }: DataSpec): RangeCache =>
  cacheMiB === 0 ? noCache() : openDiskCache(cacheDir ?? cacheFolder("data"), cacheMiB * 2 ** 20);

/** @throws PlumeError INVALID_ARGUMENT when the model reads captions, and not every sample has one. */
export function checkCaptions(
  { model }: { readonly model: { readonly text?: object | undefined } },
  set: ImageSetCard,
): void {
  if (!model.text || set.captions?.lacking === null) return;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    set.captions
      ? `${set.captions.lacking} has no caption, which model.text reads`
      : `${set.name} has no captions, which model.text reads`,
    {
      remedy:
        "give every sample one (KEY.txt, or caption or text in KEY.json, of a WebDataset shard; a column caption or text of a parquet file), or leave model.text out",
    },
  );
}

/** @throws PlumeError INVALID_ARGUMENT when the model's classes are not the set's. */
export function checkClasses({ model }: { readonly model: { readonly classes: number } }, set: ImageSetCard): void {
  if (model.classes === 0 || model.classes === set.classes.length) return;
  const has = set.classes.length === 0 ? "has no labels" : `has ${set.classes.length} classes`;
  throw new PlumeError("INVALID_ARGUMENT", `model.classes is ${model.classes}, but ${set.name} ${has}`, {
    remedy: `set model.classes to ${set.classes.length}`,
  });
}
