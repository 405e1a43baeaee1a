// An index is made once: what is found out about a set's objects by reading them lies beside the run, and in the cache of
// each host for its workers. It belongs to one listing of the objects (keys, sizes, times of change): another listing has
// another index.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { deserialize, serialize } from "node:v8";
import type { StoredObject } from "../store/object-store.ts";
import type { ObjectReader } from "./reader.ts";
import type { SourceContext } from "./sources/source.ts";

/** Changes with what any index holds. */
const FORMAT = 2;

interface Listing {
  readonly format: number;
  /** Of the source. */
  readonly kind: string;
  readonly place: string;
  readonly objects: readonly StoredObject[];
}

interface Kept<Index> {
  readonly listing: Listing;
  readonly index: Index;
}

/**
 * The index of these objects: kept, or built now and kept. @param kind of the source.
 * @param build a pure function of what the objects hold.
 */
export async function keptIndex<Index>(
  kind: string,
  { identity: place }: ObjectReader,
  objects: readonly StoredObject[],
  { copy, cache }: Pick<SourceContext, "copy" | "cache">,
  build: () => Promise<Index>,
): Promise<Index> {
  const listing: Listing = { format: FORMAT, kind, place, objects };
  const beside = copy && (await readFile(copy.file).catch(() => null));
  const before = open<Index>(beside ?? null);
  const isBeside = before !== null && isSame(before.listing, listing);
  const change = before && changeBetween(before.listing, listing);
  if (change) copy?.changed(change);

  const key = `index ${createHash("sha256").update(JSON.stringify(listing)).digest("hex")}`;
  const make = async () => (isBeside && beside ? beside : seal({ listing, index: await build() }));
  const cached = await cache.read(key, undefined, make);
  // What a newer Node wrote may not be readable here.
  const sealed = open(cached) ? cached : await cache.read(key, undefined, make, true);
  if (!isBeside) copy?.renew(sealed);
  return open<Index>(sealed)!.index;
}

const SEAL_BYTES = 32;

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

function seal(kept: Kept<unknown>): Buffer {
  const bytes = serialize(kept);
  return Buffer.concat([sha256(bytes), bytes]);
}

/** @returns null for what is torn, or cannot be read here. */
function open<Index>(sealed: Uint8Array | null): Kept<Index> | null {
  if (!sealed || sealed.length <= SEAL_BYTES) return null;
  const bytes = sealed.subarray(SEAL_BYTES);
  if (!sha256(bytes).equals(sealed.subarray(0, SEAL_BYTES))) return null;
  try {
    return deserialize(bytes) as Kept<Index>;
  } catch {
    return null;
  }
}

const isSame = (a: Listing, b: Listing): boolean => JSON.stringify(a) === JSON.stringify(b);

/** For a person: the first object that is not as it was. Null when another set was indexed. */
function changeBetween(was: Listing, is: Listing): string | null {
  if (was.format !== is.format || was.kind !== is.kind || was.place !== is.place || isSame(was, is)) return null;
  const before = new Map(was.objects.map((object) => [object.key, object]));
  for (const { key, size, modifiedMs } of is.objects) {
    const old = before.get(key);
    before.delete(key);
    if (!old) return `${key} is new`;
    if (old.size !== size) return `${key} has ${size} bytes, it had ${old.size}`;
    if (old.modifiedMs !== modifiedMs) return `${key} was written again`;
  }
  const [gone] = before.keys();
  return gone === undefined ? "the order of its objects" : `${gone} is gone`;
}
