// Parquet files with the images in them, as Hugging Face's datasets writes them. Rows are compressed together, so a row
// group is fetched and unpacked as a whole; the cache keeps it unpacked.

import { createHash } from "node:crypto";
import { PlumeError } from "../../errors.ts";
import { inParallel } from "../../parallel.ts";
import type { StoredObject } from "../../store/object-store.ts";
import { setCaptions } from "../caption-table.ts";
import { encodedSet, numbering } from "../encoded-set.ts";
import { nameOf } from "../fetch.ts";
import type { ImageSet } from "../image-set.ts";
import { keptIndex } from "../kept-index.ts";
import { concatLabels, numberedClasses } from "../labels.ts";
import { locate } from "../location.ts";
import { indexParquet, type ParquetIndex, type ReadRange, readImages } from "../parquet.ts";
import { createRanges, type ReadOptions } from "../ranges.ts";
import type { Source, SourceContext } from "./source.ts";

export const parquet: Source = {
  usage: "parquet:URL",
  about:
    "Hugging Face's parquet files of images, with labels or captions (a column caption or text): a folder, s3://BUCKET/PREFIX/, or one file",
  captioned: true,
  open: openParquet,
};

/** Files indexed at once. */
const AT_ONCE = 4;

async function openParquet(url: string, context: SourceContext): Promise<ImageSet> {
  const { access, cache, imageSize, signal } = context;
  const what = "parquet file (.parquet)";
  const { reader, objects } = await locate({ url, access, extension: /\.parquet$/i, what, signal });
  const { fetch, keyOf } = createRanges(reader, 0, cache);
  const readerOf =
    (object: StoredObject, by: AbortSignal | undefined): ReadRange =>
    (range) =>
      fetch(object, range, by);
  const files = await keptIndex("parquet", reader, objects, context, () =>
    inParallel(objects, AT_ONCE, (object) =>
      indexParquet(nameOf(reader, object), object.size, readerOf(object, signal)),
    ),
  );

  const name = `parquet:${url}`;
  const called = (file: number, row: number) => `${nameOf(reader, objects[file]!)}: row ${row}`;
  const labels = concatLabels(name, files, called);
  const findFile = numbering(files.map((file) => file.labels.length));
  const findGroup = files.map(({ rows }) => numbering(rows));
  const find = (id: number) => {
    const [file, row] = findFile(id);
    const [group, k] = findGroup[file]!(row);
    const object = objects[file]!;
    return { object, index: files[file]!, row, group, k, key: keyOf(object, "images of row group", group) };
  };

  return encodedSet(
    {
      name,
      classes: classesOf(name, files, labels),
      labels,
      captions: setCaptions(
        files.map(({ captions }) => captions),
        findFile,
        called,
      ),
      digest: digestOf(objects, files, imageSize),
      objects: objects.map(({ key, size }, file) => ({ key, size, samples: files[file]!.labels.length })),
      nameOf(id) {
        const { object, row } = find(id);
        return `${nameOf(reader, object)}: row ${row}`;
      },
      async encoded(id, { signal: by, fresh = false }: ReadOptions) {
        const { object, index, group, k, key, row } = find(id);
        const where = nameOf(reader, object);
        let made: Promise<Uint8Array> | undefined; // where it is not kept, the second read must not make it again
        const make = () => (made ??= unpacked(where, index, group, object.size, readerOf(object, by)));
        const table = Buffer.from(
          await cache.read(key, { start: 0, end: TABLE_BYTES * (index.rows[group]! + 1) }, make, fresh),
        );
        const [start, end] = [table.readUInt32LE(TABLE_BYTES * k), table.readUInt32LE(TABLE_BYTES * (k + 1))];
        if (start === end) throw corrupt(`${where}: row ${row} has no image`);
        return cache.read(key, { start: table.length + start, end: table.length + end }, make);
      },
      kept(id) {
        const { key, index, group } = find(id);
        return cache.maxBytes > 0 ? [{ key, bytes: index.bytes[group]! }] : [];
      },
    },
    imageSize,
    cache,
  );
}

const corrupt = (why: string, cause?: unknown) =>
  new PlumeError("DATA_LOSS", why, { remedy: "write the file again, or set data.onError: skip", cause });

/** Bytes of an offset. */
const TABLE_BYTES = 4;

/** A row group's images as the cache keeps them: uint32 offsets [rows + 1], then the images. */
async function unpacked(
  where: string,
  index: ParquetIndex,
  group: number,
  size: number,
  read: ReadRange,
): Promise<Uint8Array> {
  const images = await readImages(index, group, size, read).catch((cause: Error) => {
    throw cause instanceof PlumeError
      ? cause
      : corrupt(`${where}: row group ${group} cannot be read (${cause.message})`, cause);
  });
  const total = images.reduce((sum, image) => sum + (image?.length ?? 0), 0);
  if (total >= 2 ** 32) throw corrupt(`${where}: row group ${group} has ${total} bytes of images, more than 4 GiB`);
  const table = Buffer.alloc(TABLE_BYTES * (images.length + 1));
  let at = 0;
  for (const [k, image] of images.entries()) {
    at += image?.length ?? 0;
    table.writeUInt32LE(at, TABLE_BYTES * (k + 1));
  }
  return Buffer.concat([table, ...images.flatMap((image) => (image ? [image] : []))]);
}

/** Names of a ClassLabel, the same in all files; numbers without one. */
function classesOf(name: string, files: readonly ParquetIndex[], labels: Int32Array): readonly string[] {
  const [first] = files;
  if (!first?.classes || labels[0]! < 0) return numberedClasses(labels);
  const other = files.find(({ classes }) => JSON.stringify(classes) !== JSON.stringify(first.classes));
  const beyond = labels.find((label) => label >= first.classes!.length);
  if (!other && beyond === undefined) return first.classes;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    other
      ? `${name}: its files name different classes`
      : `${name}: label ${beyond} is none of its ${first.classes.length} classes`,
    { remedy: "name the files of one data set" },
  );
}

function digestOf(objects: readonly StoredObject[], files: readonly ParquetIndex[], imageSize: number): string {
  const hash = createHash("sha256").update(`parquet ${imageSize}\n`);
  objects.forEach(({ key, size }, file) => {
    const { footer, labels, captions } = files[file]!;
    hash
      .update(`${key} ${size}\n`)
      .update(footer)
      .update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength));
    if (captions) hash.update(captions.ends).update(captions.bytes);
  });
  return hash.digest("hex");
}
