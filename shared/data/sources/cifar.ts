// CIFAR-10's binary format: records of one label byte and 3072 pixels, channel by channel (Krizhevsky 2009).

import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PlumeError } from "../../errors.ts";
import type { ImageSet } from "../image-set.ts";
import { memorySet } from "../memory-set.ts";
import { resizeAll } from "../resize.ts";
import type { Source, SourceContext } from "./source.ts";

const CIFAR_CLASSES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;

const SIDE = 32;
const PLANE = SIDE * SIDE;
const RECORD = 1 + 3 * PLANE;

export const cifar: Source = { usage: "cifar:DIR", about: "CIFAR-10's binary batches", open: openCifar };

async function openCifar(folder: string, { imageSize, split }: SourceContext): Promise<ImageSet> {
  const wanted = split === "train" ? /^data_batch(_\d+)?\.bin$/ : /^test_batch\.bin$/;
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => wanted.test(name))
        .sort()
    : [];
  if (files.length === 0)
    throw new PlumeError("NOT_FOUND", `${folder} has no ${split === "train" ? "data_batch_*.bin" : "test_batch.bin"}`, {
      remedy: "unpack the binary version of CIFAR-10 there",
    });
  const records = await Promise.all(files.map((name) => readRecords(join(folder, name))));
  const count = records.reduce((sum, bytes) => sum + bytes.length / RECORD, 0);
  const pixels = new Uint8Array(count * 3 * PLANE);
  const labels = new Uint8Array(count);
  let k = 0;
  records.forEach((bytes, file) => {
    for (let at = 0; at < bytes.length; at += RECORD, k++) {
      labels[k] = bytes[at]!;
      if (labels[k]! >= CIFAR_CLASSES.length)
        throw new PlumeError(
          "INVALID_ARGUMENT",
          `${join(folder, files[file]!)}: record ${at / RECORD} has label ${labels[k]}, CIFAR-10 has 0 to 9`,
          { remedy: "download the data set again" },
        );
      for (let c = 0; c < 3; c++)
        for (let p = 0; p < PLANE; p++) pixels[(k * PLANE + p) * 3 + c] = bytes[at + 1 + c * PLANE + p]!;
    }
  });
  const resized = resizeAll(pixels, SIDE, SIDE, 3, imageSize);
  return memorySet({
    name: `cifar:${folder}`,
    pixels: resized,
    labels,
    height: imageSize,
    width: imageSize,
    channels: 3,
    classes: CIFAR_CLASSES,
  });
}

async function readRecords(file: string): Promise<Buffer> {
  const bytes = await readFile(file);
  if (bytes.length === 0 || bytes.length % RECORD !== 0)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `${file} has ${bytes.length} bytes, no whole number of ${RECORD}-byte records`,
      { remedy: "download the data set again" },
    );
  return bytes;
}
