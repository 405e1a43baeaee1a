// An image set whose samples are image files that lie somewhere: each is fetched and decoded when it is read.

import { PlumeError } from "../errors.ts";
import type { SetCaptions } from "./caption-table.ts";
import { decodeImage } from "./decode.ts";
import type { RangeCache } from "./disk-cache.ts";
import type { ImageSet, SetObject } from "./image-set.ts";
import { checkId } from "./memory-set.ts";
import type { ReadOptions } from "./ranges.ts";

/** Where the samples are: what an index has. */
export interface EncodedRecords {
  readonly name: string;
  readonly classes: readonly string[];
  /** int32 [n]; -1 without a label. */
  readonly labels: Int32Array;
  readonly captions?: SetCaptions | undefined;
  readonly digest: string;
  readonly objects: readonly SetObject[];
  /** What a person calls this sample: its object, and its place or key in it. */
  nameOf(id: number): string;
  /** The bytes of its file. @throws PlumeError DATA_LOSS when what lies there is no such thing. */
  encoded(id: number, options: ReadOptions): Promise<Uint8Array>;
  /** Keys of the cache that hold it, with their sizes. */
  kept(id: number): readonly { readonly key: string; readonly bytes: number }[];
}

export function encodedSet(records: EncodedRecords, imageSize: number, cache: RangeCache): ImageSet {
  const { name, classes, labels, captions, digest, objects } = records;
  const size = labels.length;
  const imageBytes = imageSize * imageSize * 3;

  const decoded = async (id: number, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    const what = records.nameOf(id);
    try {
      return await decodeImage(await records.encoded(id, { signal }), imageSize, what);
    } catch (error) {
      if (!(error instanceof PlumeError) || error.code !== "DATA_LOSS") throw error;
      // The data is at fault when it says so itself, not a copy of it.
      return decodeImage(await records.encoded(id, { signal, fresh: true }), imageSize, what);
    }
  };

  return {
    name,
    size,
    height: imageSize,
    width: imageSize,
    channels: 3,
    classes,
    ...(captions && { captions: { lacking: captions.lacking } }),
    digest,
    async read(ids, signal) {
      const pixels = new Uint8Array(ids.length * imageBytes);
      await Promise.all(
        ids.map(async (id, i) => {
          signal?.throwIfAborted();
          checkId(name, id, size);
          pixels.set(await decoded(id, signal), i * imageBytes);
        }),
      );
      return {
        pixels,
        labels: Int32Array.from(ids, (id) => labels[id]!),
        ...(captions?.lacking === null && { captions: ids.map(captions.of) }),
      };
    },
    async storage() {
      const kept = new Map<string, number>();
      for (let id = 0; id < size; id++) for (const { key, bytes } of records.kept(id)) kept.set(key, bytes);
      let cachedBytes = 0;
      for (const [key, bytes] of kept) if (await cache.has(key)) cachedBytes += bytes;
      return { objects, cachedBytes: kept.size > 0 ? cachedBytes : null };
    },
    async close() {},
  };
}

/** From a sample's id to its object and its number in it, given the samples of each object. */
export function numbering(counts: readonly number[]): (id: number) => [object: number, k: number] {
  const ends = new Float64Array(counts.length);
  counts.reduce((sum, count, object) => {
    ends[object] = sum + count;
    return ends[object]!;
  }, 0);
  return (id) => {
    let [low, high] = [0, counts.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! > id) high = middle;
      else low = middle + 1;
    }
    return [low, id - (low === 0 ? 0 : ends[low - 1]!)];
  };
}
