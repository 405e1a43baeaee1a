// The images of `plume edit`: files, folders and arrays that people have, or the model's own data.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { JobSpec } from "../../../../shared/config/schema.ts";
import { decodeImage, grey, IMAGE } from "../../../../shared/data/decode.ts";
import { decodeNpy, imagesOf } from "../../../../shared/data/npy.ts";
import { openImageSet } from "../../../../shared/data/open.ts";
import type { PatchShape } from "../../../../shared/data/patch.ts";
import { magnified, resizeAll } from "../../../../shared/data/resize.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { oneOf, wholeNumber } from "../../options.ts";
import { sidesOf } from "./pictures.ts";

export interface ImageOptions {
  readonly images?: readonly string[];
  readonly fromData?: string;
  readonly indices?: string;
  readonly resize?: boolean;
}

export interface GivenImages {
  /** uint8 [n, height, width, channels]. */
  readonly pixels: Uint8Array;
  /** Classes, where the images have any. */
  readonly labels: readonly number[] | null;
}

export const IMAGE_OPTIONS = [
  ["--images <path...>", "PNG, JPEG or WebP files, folders of them, .npy files of uint8 [n, height, width, channels]"],
  ["--from-data <split>", "train | test: images of the data set that the model was trained on"],
  ["--indices <list>", "which of --from-data, by number (default: 0,1,2,3)"],
  ["--resize", "crop and resize images that are not of the model's size"],
] as const;

const SPLITS = ["train", "test"] as const;

type Asked =
  | { readonly split: (typeof SPLITS)[number]; readonly ids: readonly number[] }
  | { readonly paths: readonly string[]; readonly resize: boolean };

/** What can be checked before the model is known. */
export function parseImages({ images, fromData, indices, resize = false }: ImageOptions): Asked {
  if ((images === undefined) === (fromData === undefined))
    throw new PlumeError("INVALID_ARGUMENT", "images are named by either --images or --from-data", {
      remedy: "for example --images picture.png, or --from-data test --indices 0,1",
    });
  if (fromData !== undefined)
    return {
      split: oneOf("--from-data", fromData, SPLITS),
      ids: (indices ?? "0,1,2,3").split(",").map((id) => wholeNumber("--indices", id.trim())),
    };
  if (indices !== undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--indices ${indices} is of --from-data alone`, {
      remedy: "name the files you mean",
    });
  return { paths: images!, resize };
}

/** What images must be. */
interface Frame {
  /** Of the model. */
  readonly image: PatchShape;
  /** Images may be so many times smaller: their pixels become squares. */
  readonly enlarges?: number | undefined;
  /** Whose they must be like, in messages. */
  readonly called?: string;
}

/** @throws PlumeError naming the file or image, what it is, and what it must be. */
export async function readImages(
  asked: Asked,
  { spec, ...frame }: Frame & { readonly spec: JobSpec },
  signal: AbortSignal,
): Promise<GivenImages> {
  if ("split" in asked) return fromData(asked, frame.image, spec, signal);
  const all: Uint8Array[] = [];
  for (const path of asked.paths.flatMap(filesIn)) {
    signal.throwIfAborted();
    const encoded = readFileSync(path);
    const read = path.endsWith(".npy") ? fromArray : fromPicture;
    all.push(await read(path, encoded, frame, asked.resize));
  }
  return { pixels: new Uint8Array(Buffer.concat(all)), labels: null };
}

async function fromData(
  { split, ids }: Extract<Asked, { split: string }>,
  { height, width, channels }: PatchShape,
  { data, store, model }: JobSpec,
  signal: AbortSignal,
): Promise<GivenImages> {
  const set = await openImageSet(data, { split, access: store, signal });
  await using _closed = { [Symbol.asyncDispose]: () => set.close() };
  if (set.fallback)
    throw new PlumeError("UNAVAILABLE", `--from-data ${split}: ${set.fallback}`, { remedy: "npm run setup:data" });
  const beyond = ids.find((id) => id >= set.size);
  if (beyond !== undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--indices ${beyond} is outside ${set.name}, which has ${set.size}`, {
      remedy: `choose 0 to ${set.size - 1}`,
    });
  if (set.height !== height || set.width !== width || set.channels !== channels)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `${set.name} now holds images of ${set.height}x${set.width}x${set.channels}, the model's are ${height}x${width}x${channels}`,
      { remedy: "name images by --images" },
    );
  const { pixels, labels } = await set.read(ids, signal);
  return { pixels, labels: model.classes > 0 ? Array.from(labels) : null };
}

/** Sorted by name, so that the same folder is the same images. */
function filesIn(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw wrong("NOT_FOUND", path, "there is no such file or folder", "check the path");
  if (stat.isFile()) {
    if (IMAGE.test(path) || path.endsWith(".npy")) return [path];
    throw wrong("INVALID_ARGUMENT", path, "is neither a PNG, JPEG or WebP picture nor a .npy file", "convert it");
  }
  const files = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((file) => IMAGE.test(file));
  if (files.length === 0) throw wrong("NOT_FOUND", path, "holds no PNG, JPEG or WebP picture", "name another folder");
  return files.sort().map((file) => join(path, file));
}

const wrong = (code: "NOT_FOUND" | "INVALID_ARGUMENT", path: string, why: string, remedy: string) =>
  new PlumeError(code, `--images ${path}: ${why}`, { remedy });

const otherSize = (path: string, width: number, height: number, { image, called = "the model's images" }: Frame) =>
  wrong(
    "INVALID_ARGUMENT",
    path,
    `${width}x${height}, ${called} are ${image.width}x${image.height}`,
    "add --resize to crop and resize it",
  );

/** Whether sides are those of an image that is to be enlarged. */
const isSmall = (width: number, height: number, { image, enlarges = 1 }: Frame): boolean =>
  enlarges > 1 && width * enlarges === image.width && height * enlarges === image.height;

async function fromPicture(path: string, encoded: Uint8Array, frame: Frame, resize: boolean): Promise<Uint8Array> {
  const { image } = frame;
  const { height, width } = await sidesOf(`--images ${path}`, encoded);
  const small = isSmall(width, height, frame);
  if (!small && !resize && (height !== image.height || width !== image.width))
    throw otherSize(path, width, height, frame);
  const colours = await decodeImage(encoded, small ? height : image.height, path);
  const pixels = image.channels === 1 ? grey(colours) : colours;
  return small ? enlarged(pixels, frame) : pixels;
}

async function fromArray(path: string, encoded: Uint8Array, frame: Frame, resize: boolean): Promise<Uint8Array> {
  const { image } = frame;
  const broken = (why: string) =>
    wrong("INVALID_ARGUMENT", path, why, "write uint8 [n, height, width, channels] by np.save(file, images)");
  const { height, width, channels, pixels } = imagesOf(decodeNpy(encoded, broken), broken);
  if (channels !== image.channels) throw broken(`its images have ${channels} channels, the model's ${image.channels}`);
  if (height === image.height && width === image.width) return pixels;
  if (isSmall(width, height, frame)) return enlarged(pixels, frame);
  if (!resize) throw otherSize(path, width, height, frame);
  if (height !== width) throw broken(`its images are ${width}x${height}, and arrays are not cropped`);
  return resizeAll(pixels, height, width, channels, image.height);
}

function enlarged(pixels: Uint8Array, { image, enlarges = 1 }: Frame): Uint8Array {
  const small = { ...image, height: image.height / enlarges, width: image.width / enlarges };
  return magnified(pixels, small, image);
}
