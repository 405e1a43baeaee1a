// A folder of PNG, JPEG and WebP images, on a disk or in an object store; the subfolder an image lies in is its class.

import { createHash } from "node:crypto";
import { PlumeError } from "../../errors.ts";
import type { StoredObject } from "../../store/object-store.ts";
import { IMAGE } from "../decode.ts";
import { noCache } from "../disk-cache.ts";
import { encodedSet } from "../encoded-set.ts";
import { nameOf } from "../fetch.ts";
import type { ImageSet } from "../image-set.ts";
import { keptIndex } from "../kept-index.ts";
import { createRanges } from "../ranges.ts";
import { openReader } from "../reader.ts";
import type { Source, SourceContext } from "./source.ts";

export const images: Source = {
  usage: "images:DIR",
  about: "a folder of PNG, JPEG and WebP images, one subfolder a class",
  open: (folder, context) => openImages(`images:${folder}`, folder, context),
};

/** @param name of the set. @param folder DIR or s3://BUCKET/PREFIX/. */
export async function openImages(name: string, folder: string, context: SourceContext): Promise<ImageSet> {
  const { imageSize, access, cache, copy, signal } = context;
  const reader = await openReader(folder, access);
  const objects: StoredObject[] = [];
  for await (const object of reader.list("", signal)) if (IMAGE.test(object.key)) objects.push(object);
  objects.sort((a, b) => (a.key < b.key ? -1 : 1));
  if (objects.length === 0)
    throw new PlumeError("NOT_FOUND", `${folder} holds no PNG, JPEG or WebP image`, {
      remedy: "put the images of each class into a subfolder of its name",
    });
  // The listing is the whole index: beside the run it tells what changed; the cache would hold nothing that is not listed.
  if (copy) await keptIndex("images", reader, objects, { copy, cache: noCache() }, async () => null);
  const classNames = objects.map(({ key }) => key.split("/").slice(0, -1).join("/"));
  // Images beside the class folders, or no folders at all: a set without labels.
  const classes = classNames.includes("") ? [] : [...new Set(classNames)].sort();
  const numbers = new Map(classes.map((each, k) => [each, k]));
  const hash = createHash("sha256").update(`${imageSize}\n`);
  for (const { key, size } of objects) hash.update(`${key} ${size}\n`);
  const ranges = createRanges(reader, 0, cache);
  const whole = ({ size }: StoredObject) => ({ start: 0, end: size });
  return encodedSet(
    {
      name,
      classes,
      labels: Int32Array.from(classNames, (each) => numbers.get(each) ?? -1),
      digest: hash.digest("hex"),
      objects: objects.map(({ key, size }) => ({ key, size, samples: 1 })),
      nameOf: (id) => nameOf(reader, objects[id]!),
      encoded: (id, options) => ranges.read(objects[id]!, whole(objects[id]!), options),
      kept: (id) =>
        ranges
          .pieces(objects[id]!, whole(objects[id]!))
          .map(({ key, range }) => ({ key, bytes: range.end - range.start })),
    },
    imageSize,
    cache,
  );
}
