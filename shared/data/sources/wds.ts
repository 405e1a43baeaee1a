// WebDataset: tar shards whose files belong to one sample where they stand together under one name before the first dot
// (Aizman, Maltby, Breuel 2019). Its image is the first file .png, .jpg, .jpeg or .webp; its label the integer in .cls,
// else "label" in .json; its caption the text in .txt, else "caption" or "text" in .json. Other files, and samples without an image, are passed over.

import { createHash } from "node:crypto";
import { PlumeError } from "../../errors.ts";
import { inParallel } from "../../parallel.ts";
import type { StoredObject } from "../../store/object-store.ts";
import { type CaptionTable, MOST_CAPTION_BYTES, packCaptions, setCaptions } from "../caption-table.ts";
import { IMAGE } from "../decode.ts";
import { encodedSet, numbering } from "../encoded-set.ts";
import { type Fetch, nameOf } from "../fetch.ts";
import type { ImageSet } from "../image-set.ts";
import { keptIndex } from "../kept-index.ts";
import { concatLabels, numberedClasses } from "../labels.ts";
import { locate } from "../location.ts";
import { createRanges } from "../ranges.ts";
import { type ReadBytes, TarFault, tarEntries } from "../tar.ts";
import type { Source, SourceContext } from "./source.ts";

export const wds: Source = {
  usage: "wds:URL",
  about:
    "WebDataset's tar shards, of images with labels or captions: a folder, s3://BUCKET/PREFIX/, or shard-{000000..000009}.tar",
  captioned: true,
  open: openShards,
};

/** The samples of one shard, in its order. */
interface ShardIndex {
  readonly names: readonly string[];
  /** float64 [n]: bytes [start, end) of the shard hold the image. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** int32 [n]; -1 without a label. */
  readonly labels: Int32Array;
  /** Null where no sample has one. */
  readonly captions: CaptionTable | null;
}

/** Shards indexed at once. */
const AT_ONCE = 8;

async function openShards(url: string, context: SourceContext): Promise<ImageSet> {
  const { access, cache, imageSize, signal } = context;
  const what = "WebDataset shard (.tar)";
  const { reader, objects } = await locate({ url, access, extension: /\.tar$/i, what, signal });
  const total = objects.reduce((sum, { size }) => sum + size, 0);
  const ranges = createRanges(reader, total, cache);
  const shards = await keptIndex("wds", reader, objects, context, () =>
    inParallel(objects, AT_ONCE, (shard) => indexShard(nameOf(reader, shard), shard, ranges.fetch, signal)),
  );

  const name = `wds:${url}`;
  const called = (shard: number, k: number) => `${nameOf(reader, objects[shard]!)}: ${shards[shard]!.names[k]}`;
  const labels = concatLabels(name, shards, called);
  const locateSample = numbering(shards.map(({ names }) => names.length));
  const find = (id: number) => {
    const [shard, k] = locateSample(id);
    const { names, starts, ends } = shards[shard]!;
    return { object: objects[shard]!, key: names[k]!, range: { start: starts[k]!, end: ends[k]! } };
  };
  const hash = createHash("sha256").update(`wds ${imageSize}\n`);
  objects.forEach(({ key, size }, shard) => {
    const { names, starts, ends, labels: ofShard, captions } = shards[shard]!;
    hash.update(`${key} ${size}\n`);
    names.forEach((each, k) => {
      hash.update(`${each} ${starts[k]} ${ends[k]} ${ofShard[k]}\n`);
    });
    if (captions) hash.update(captions.ends).update(captions.bytes);
  });
  return encodedSet(
    {
      name,
      classes: numberedClasses(labels),
      labels,
      captions: setCaptions(
        shards.map(({ captions }) => captions),
        locateSample,
        called,
      ),
      digest: hash.digest("hex"),
      objects: objects.map(({ key, size }, shard) => ({ key, size, samples: shards[shard]!.names.length })),
      nameOf(id) {
        const { object, key } = find(id);
        return `${nameOf(reader, object)}: ${key}`;
      },
      encoded(id, options) {
        const { object, range } = find(id);
        return ranges.read(object, range, options);
      },
      kept(id) {
        const { object, range } = find(id);
        return ranges
          .pieces(object, range)
          .map((piece) => ({ key: piece.key, bytes: piece.range.end - piece.range.start }));
      },
    },
    imageSize,
    cache,
  );
}

export async function indexShard(
  name: string,
  shard: StoredObject,
  fetch: Fetch,
  signal: AbortSignal | undefined,
): Promise<ShardIndex> {
  const broken = (why: string) =>
    new PlumeError("INVALID_ARGUMENT", `${name} is no whole WebDataset shard: ${why}`, {
      remedy: "write the shard again (uncompressed tar), or leave it out of data.source",
    });
  const read = windowed(shard, fetch, signal);
  const index = { names: [] as string[], starts: [] as number[], ends: [] as number[], labels: [] as number[] };
  const captions: (string | null)[] = [];
  const groupOf = (key: string): Group => ({ key, image: null, cls: null, txt: null, json: {} });
  let group = groupOf("");
  const finish = () => {
    if (!group.image) return;
    index.names.push(group.key);
    index.starts.push(group.image.start);
    index.ends.push(group.image.end);
    index.labels.push(group.cls ?? group.json.label ?? -1);
    captions.push(group.txt ?? group.json.caption ?? null);
  };
  try {
    for await (const { name: file, start, size } of tarEntries(read, shard.size)) {
      const [, key, extension] = /^((?:.*\/)?[^./]+)\.([^/]*)$/.exec(file) ?? [];
      if (key === undefined || extension === undefined) continue;
      if (key !== group.key) {
        finish();
        group = groupOf(key);
      }
      const text = async () => Buffer.from(await read(start, start + size)).toString("utf8");
      if (extension === "cls") group.cls = labelOf((await text()).trim(), file, broken);
      else if (extension === "json") group.json = ofJson(await text(), file, broken);
      else if (extension === "txt" && size <= MOST_CAPTION_BYTES) group.txt = (await text()).trim();
      else if (!group.image && IMAGE.test(`.${extension}`) && !extension.includes("."))
        group.image = { start, end: start + size };
    }
  } catch (error) {
    throw error instanceof TarFault ? broken(error.message) : error;
  }
  finish();
  if (index.names.length === 0) throw broken("it holds no .png, .jpg, .jpeg or .webp");
  return {
    names: index.names,
    starts: Float64Array.from(index.starts),
    ends: Float64Array.from(index.ends),
    labels: Int32Array.from(index.labels),
    captions: packCaptions(captions),
  };
}

interface Group {
  readonly key: string;
  image: { readonly start: number; readonly end: number } | null;
  cls: number | null;
  txt: string | null;
  json: Said;
}

/** What a sample's .json says. */
interface Said {
  readonly label?: number;
  readonly caption?: string;
}

type Broken = (why: string) => PlumeError;

function labelOf(text: string, file: string, broken: Broken): number {
  const label = /^\d{1,6}$/.test(text) ? Number(text) : -1;
  if (label < 0) throw broken(`${file} holds ${JSON.stringify(text.slice(0, 40))}, no class number from 0 to 999999`);
  return label;
}

function ofJson(text: string, file: string, broken: Broken): Said {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(`${file} is no JSON: ${(error as Error).message}`);
  }
  const { label, caption, text: said } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const words = [caption, said].find((each) => typeof each === "string");
  return {
    ...(label !== undefined && label !== null && { label: labelOf(String(label), file, broken) }),
    ...(words !== undefined && { caption: (words as string).trim() }),
  };
}

const [LEAST_WINDOW, MOST_WINDOW] = [1 << 10, 1 << 16];

/**
 * Reads a little ahead where that saved a request, and less where it did not: headers of small samples come many at once,
 * those of large ones alone.
 */
function windowed(shard: StoredObject, fetch: Fetch, signal: AbortSignal | undefined): ReadBytes {
  let window = LEAST_WINDOW;
  let at = 0;
  let bytes: Uint8Array = new Uint8Array(0);
  return async (start, end) => {
    const isHere = start >= at && end <= at + bytes.length;
    if (!isHere) {
      const isNear = start >= at && start < at + bytes.length + window;
      window = isNear ? Math.min(MOST_WINDOW, 2 * window) : Math.max(LEAST_WINDOW, window / 2);
      at = start;
      bytes = await fetch(shard, { start, end: Math.min(shard.size, Math.max(end, start + window)) }, signal);
    }
    return bytes.subarray(start - at, end - at);
  };
}
