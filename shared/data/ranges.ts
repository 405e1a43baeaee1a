// Ranges of a set's objects through the cache. A set that fits into the cache is kept in blocks, so that small samples
// that lie side by side are one read of the store; of a larger one, only what is used.

import type { ByteRange, StoredObject } from "../store/object-store.ts";
import { holds, type RangeCache } from "./disk-cache.ts";
import { createFetch, type Fetch } from "./fetch.ts";
import type { ObjectReader } from "./reader.ts";

const BLOCK_BYTES = 1 << 20;

/** What the cache keeps as one: a key, its range of the object, and the part of that range which is wanted. */
interface Piece {
  readonly key: string;
  readonly range: ByteRange;
  readonly inside: ByteRange;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** From the store, whatever the cache has. */
  readonly fresh?: boolean;
}

export interface Ranges {
  readonly fetch: Fetch;
  /** Names an object's content for the cache. */
  keyOf(object: StoredObject, ...what: readonly unknown[]): string;
  /** Empty where nothing is kept. */
  pieces(object: StoredObject, range: ByteRange): Piece[];
  /** @throws PlumeError as Fetch does. */
  read(object: StoredObject, range: ByteRange, options?: ReadOptions): Promise<Uint8Array>;
}

/** @param total bytes of all objects. */
export function createRanges(reader: ObjectReader, total: number, cache: RangeCache): Ranges {
  const fetch = createFetch(reader);
  const inBlocks = holds(cache, total);
  const isKept = !reader.isLocal && cache.maxBytes > 0;

  const keyOf = (object: StoredObject, ...what: readonly unknown[]) =>
    JSON.stringify([reader.identity, object.key, object.size, object.modifiedMs, ...what]);

  const pieces = (object: StoredObject, { start, end }: ByteRange): Piece[] => {
    const piece = (range: ByteRange): Piece => {
      const from = Math.max(start, range.start) - range.start;
      const to = Math.min(end, range.end) - range.start;
      return { key: keyOf(object, range.start, range.end), range, inside: { start: from, end: to } };
    };
    if (!isKept) return [];
    if (!inBlocks) return [piece({ start, end })];
    const first = Math.floor(start / BLOCK_BYTES);
    const last = Math.max(first, Math.ceil(end / BLOCK_BYTES) - 1);
    return Array.from({ length: last - first + 1 }, (_, k) => {
      const from = (first + k) * BLOCK_BYTES;
      return piece({ start: from, end: Math.min(object.size, from + BLOCK_BYTES) });
    });
  };

  return {
    fetch,
    keyOf,
    pieces,
    async read(object, range, { signal, fresh } = {}) {
      if (!isKept) return fetch(object, range, signal);
      const parts = await Promise.all(
        pieces(object, range).map((piece) =>
          cache.read(piece.key, piece.inside, () => fetch(object, piece.range, signal), fresh),
        ),
      );
      return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    },
  };
}
