// IDX files (LeCun's MNIST format), plain or gzipped: magic 00 00 08 <dims>, big-endian sizes, then uint8 values.

import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { PlumeError } from "../../errors.ts";
import type { ImageSet } from "../image-set.ts";
import { memorySet } from "../memory-set.ts";
import { resizeAll } from "../resize.ts";
import type { Source, Split } from "./source.ts";

export const idx: Source = {
  usage: "idx:DIR",
  about: "IDX files as MNIST has them, plain or gzipped",
  open: (folder, { imageSize, split }) => openIdx(folder, imageSize, split, { name: `idx:${folder}` }),
};

/** A folder's pair of files as a set. @param named classes are numbers when it names none. */
export async function openIdx(
  folder: string,
  imageSize: number,
  split: Split,
  named: { readonly name: string; readonly classes?: readonly string[] },
): Promise<ImageSet> {
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
  if (count === 0)
    throw new PlumeError("INVALID_ARGUMENT", `${pair.images} holds no image`, {
      remedy: "name a folder whose files are not empty",
    });
  return memorySet({
    classes: Array.from({ length: Math.max(...labels.values) + 1 }, (_, k) => String(k)),
    ...named,
    pixels: resizeAll(images.values, height, width, 1, imageSize),
    labels: labels.values,
    height: imageSize,
    width: imageSize,
    channels: 1,
  });
}

interface IdxArray {
  readonly shape: readonly number[];
  readonly values: Uint8Array;
}

/** @throws PlumeError INVALID_ARGUMENT naming the file and what is wrong with it. */
async function readIdx(file: string, dims: number): Promise<IdxArray> {
  const broken = (why: string) =>
    new PlumeError("INVALID_ARGUMENT", `${file} is no IDX file: ${why}`, {
      remedy: "download the data set again, or name another folder",
    });
  let bytes: Buffer = await readFile(file).catch((cause: Error) => {
    throw new PlumeError("NOT_FOUND", `cannot read ${file}: ${cause.message}`, { remedy: "make it readable", cause });
  });
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    bytes = await promisify(gunzip)(bytes).catch((cause: Error) => {
      throw broken(`it cannot be decompressed (${cause.message})`);
    });
  if (bytes.length < 4 + 4 * dims) throw broken(`${bytes.length} bytes are too few for its header`);
  const magic = bytes.readUInt32BE(0);
  if (magic !== 0x0800 + dims)
    throw broken(
      `its magic number is 0x${magic.toString(16).padStart(8, "0")}, expected 0x${(0x0800 + dims).toString(16).padStart(8, "0")}`,
    );
  const shape = Array.from({ length: dims }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const size = shape.reduce((product, n) => product * n, 1);
  const values = bytes.subarray(4 + 4 * dims);
  if (values.length !== size)
    throw broken(`it holds ${values.length} values, its header says ${shape.join(" x ")} = ${size}`);
  return { shape, values };
}

interface IdxPair {
  readonly images: string;
  readonly labels: string;
}

/** The images and labels files of a split in a folder. @throws PlumeError NOT_FOUND. */
function findIdxPair(folder: string, split: Split): IdxPair {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const prefix = split === "train" ? /^train/ : /^(t10k|test)/;
  const pick = (kind: string) =>
    names.find((name) => prefix.test(name) && name.includes(kind)) ??
    (split === "train" ? names.find((name) => name.includes(kind) && !/^(t10k|test)/.test(name)) : undefined);
  const [images, labels] = [pick("images"), pick("labels")];
  if (!images || !labels)
    throw new PlumeError(
      "NOT_FOUND",
      `${folder} has no IDX ${!images ? "images" : "labels"} file for the ${split} split`,
      {
        remedy: "it must hold files like train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz",
      },
    );
  return { images: join(folder, images), labels: join(folder, labels) };
}
