// A folder of PNG, JPEG and WebP images; the subfolder an image lies in is its class. Only paths are indexed; sharp
// decodes in its own threads when samples are read.

import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { PlumeError } from "../../errors.ts";
import type { ImageSet } from "../image-set.ts";
import { checkId } from "../memory-set.ts";
import type { Source } from "./source.ts";

const IMAGE = /\.(png|jpe?g|webp)$/i;

export const images: Source = {
  usage: "images:DIR",
  about: "a folder of PNG, JPEG and WebP images, one subfolder a class",
  open: openImages,
};

/** Images are cropped to a centred square and resized; three channels. */
async function openImages(folder: string, imageSize: number): Promise<ImageSet> {
  const files = (await listImages(folder)).sort();
  if (files.length === 0)
    throw new PlumeError("NOT_FOUND", `${folder} holds no PNG, JPEG or WebP image`, {
      remedy: "put the images of each class into a subfolder of its name",
    });
  const classNames = files.map((file) => file.split("/").slice(0, -1).join("/"));
  // Images beside the class folders, or no folders at all: a set without labels.
  const classes = classNames.includes("") ? [] : [...new Set(classNames)].sort();
  const labels = Int32Array.from(classNames, (name) => classes.indexOf(name));
  const hash = createHash("sha256").update(`${imageSize}\n`);
  for (const file of files) hash.update(`${file} ${statSync(join(folder, file)).size}\n`);
  return {
    name: `images:${folder}`,
    size: files.length,
    height: imageSize,
    width: imageSize,
    channels: 3,
    classes,
    digest: hash.digest("hex"),
    async read(ids, signal) {
      const pixels = new Uint8Array(ids.length * imageSize * imageSize * 3);
      await Promise.all(
        ids.map(async (id, i) => {
          signal?.throwIfAborted();
          checkId(folder, id, files.length);
          pixels.set(await decode(join(folder, files[id]!), imageSize), i * imageSize * imageSize * 3);
        }),
      );
      return { pixels, labels: Int32Array.from(ids, (id) => labels[id]!) };
    },
    async close() {},
  };
}

/** Relative paths with forward slashes, whatever the system's. */
async function listImages(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: Error) => {
    throw new PlumeError("NOT_FOUND", `cannot read the image folder ${folder}: ${cause.message}`, {
      remedy: "name an existing folder: images:DIR",
      cause,
    });
  });
  return entries
    .filter((entry) => entry.isFile() && IMAGE.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

async function decode(file: string, size: number): Promise<Uint8Array> {
  const { default: sharp } = await import("sharp"); // on demand: processes that decode nothing start sooner
  try {
    return await sharp(file, { failOn: "truncated" })
      .rotate()
      .flatten({ background: "#000" })
      .resize(size, size, { fit: "cover" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer();
  } catch (cause) {
    throw new PlumeError("DATA_LOSS", `${file} cannot be decoded: ${(cause as Error).message}`, {
      remedy: "remove the file or replace it",
      cause,
    });
  }
}
