// The images of `plume eval --against`: a folder of pictures or a .npy file, of whatever made them.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { dataSchema } from "../../../../shared/config/data.ts";
import { grey } from "../../../../shared/data/decode.ts";
import type { ImageSet } from "../../../../shared/data/image-set.ts";
import { decodeNpy, imagesOf, labelsOf } from "../../../../shared/data/npy.ts";
import { openImageSet } from "../../../../shared/data/open.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { JUDGE_SIDE } from "../../../../shared/eval/judge-network.ts";
import type { LabelledImages } from "../../../../shared/eval/score.ts";
import { inParallel } from "../../../../shared/parallel.ts";

/** Fewer have no covariance worth the name. */
const FEWEST = 10;
const PARALLEL = 8;

export interface ReadOptions {
  /** --labels: a .npy file of class numbers. */
  readonly labels?: string | undefined;
  /** Names by number. */
  readonly classes: readonly string[];
  readonly signal: AbortSignal;
}

/** @throws PlumeError naming the file, what it holds, and what it must hold. */
export async function readImages(path: string, { labels, classes, signal }: ReadOptions): Promise<LabelledImages> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw wrong("NOT_FOUND", path, "there is no such folder or file", "check the path");
  const isNpy = stat.isFile() && path.endsWith(".npy");
  if (!isNpy && !stat.isDirectory())
    throw wrong("INVALID_ARGUMENT", path, "it is neither a folder nor a .npy file", AS_NPY);
  const images = isNpy ? readNpy(path) : await readFolder(path, classes, signal);
  const n = images.pixels.length / (JUDGE_SIDE * JUDGE_SIDE);
  if (n < FEWEST)
    throw wrong("INVALID_ARGUMENT", path, `it holds ${n} images`, `distances between sets need at least ${FEWEST}`);
  return labels === undefined ? images : { ...images, labels: readLabels(labels, n, classes.length) };
}

const AS_NPY = `write images by np.save(file, images), uint8 [n, ${JUDGE_SIDE}, ${JUDGE_SIDE}, 1] from 0 to 255, or by plume sample -o FILE.npy`;

const wrong = (code: "NOT_FOUND" | "INVALID_ARGUMENT", path: string, why: string, remedy: string, cause?: unknown) =>
  new PlumeError(code, `--against ${path}: ${why}`, { remedy, cause });

function readNpy(path: string): LabelledImages {
  const broken = (why: string) => wrong("INVALID_ARGUMENT", path, why, AS_NPY);
  const { height, width, channels, pixels } = imagesOf(decodeNpy(readFileSync(path), broken), broken);
  if (height !== JUDGE_SIDE || width !== JUDGE_SIDE) throw otherSize(path, "its images are", width, height);
  if (channels !== 1 && channels !== 3) throw broken(`its images have ${channels} channels, not 1 or 3`);
  return { pixels: channels === 1 ? pixels : grey(pixels), labels: null };
}

function readLabels(path: string, n: number, classes: number): Int32Array {
  const broken = (why: string) =>
    new PlumeError("INVALID_ARGUMENT", `--labels ${path}: ${why}`, {
      remedy: "write class numbers by np.save(file, labels), integers [n], one an image",
    });
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw broken("there is no such file");
  return Int32Array.from(labelsOf(decodeNpy(readFileSync(path), broken), n, classes, broken));
}

async function readFolder(path: string, classes: readonly string[], signal: AbortSignal): Promise<LabelledImages> {
  const data = dataSchema.parse({ source: `images:${path}`, imageSize: JUDGE_SIDE, cacheMiB: 0 });
  const set = await openImageSet(data, { signal });
  await using _closed = { [Symbol.asyncDispose]: () => set.close() };
  const numbers = set.classes.map((name) => classNumber(path, name, classes));
  await checkSizes(path, set, signal);
  const ids = Array.from({ length: set.size }, (_, id) => id);
  const { pixels, labels } = await set.read(ids, signal);
  return { pixels: grey(pixels), labels: numbers.length > 0 ? labels.map((label) => numbers[label]!) : null };
}

/** A set crops and resizes what it reads: here that would change what is measured. */
async function checkSizes(path: string, set: ImageSet, signal: AbortSignal): Promise<void> {
  const { default: sharp } = await import("sharp");
  const { objects } = await set.storage!();
  await inParallel(objects, PARALLEL, async ({ key }) => {
    signal.throwIfAborted();
    const { width, height } = await sharp(join(path, key))
      .metadata()
      .catch((cause: Error) => {
        const why = `${key} cannot be decoded: ${cause.message}`;
        throw wrong("INVALID_ARGUMENT", path, why, "remove or replace it", cause);
      });
    if (width !== JUDGE_SIDE || height !== JUDGE_SIDE) throw otherSize(path, `${key} is`, width, height);
  });
}

const otherSize = (path: string, what: string, width: number, height: number) =>
  wrong(
    "INVALID_ARGUMENT",
    path,
    `${what} ${width}x${height}, the judge sees ${JUDGE_SIDE}x${JUDGE_SIDE}`,
    "resize the images first, as the real ones are: how it is done changes the figures",
  );

function classNumber(path: string, folder: string, classes: readonly string[]): number {
  const number = classes.findIndex((name, k) => folder === String(k) || folder.toLowerCase() === name.toLowerCase());
  if (number >= 0) return number;
  const known = classes.map((name, k) => `${k} ${name}`).join(", ");
  throw wrong(
    "INVALID_ARGUMENT",
    path,
    `its folder ${folder} is no class`,
    `call the folders by class, number or name: ${known}; or put the images into one folder`,
  );
}
