// One object of a checkpoint, out of its store, verified: in pieces where it is large, so that what is hashed is on its
// way while the next piece is.

import { createHash } from "node:crypto";
import { PlumeError } from "../errors.ts";
import type { ByteRange, ObjectStore } from "../store/object-store.ts";
import { ahead } from "./ahead.ts";
import { update } from "./digest.ts";
import type { Part } from "./manifest.ts";

const PIECE_BYTES = 16 << 20;

type Expected = Pick<Part, "size" | "sha256">;

/** @returns the bytes. @throws PlumeError NOT_FOUND, DATA_LOSS naming the object. */
export async function readPart(store: ObjectStore, key: string, part: Expected): Promise<Uint8Array> {
  if (part.size <= PIECE_BYTES) {
    const bytes = await store.get(key);
    await verify(`${store.url}/${key}`, part, [bytes]);
    return bytes;
  }
  const whole = Buffer.allocUnsafeSlow(part.size);
  let at = 0;
  const kept = async function* () {
    for await (const piece of piecesOf(store, key, part)) {
      whole.set(piece.subarray(0, part.size - at), at);
      at += piece.byteLength;
      yield piece;
    }
  };
  await verify(`${store.url}/${key}`, part, kept());
  return whole;
}

/** Reads it and keeps nothing. @param memory where its pieces lie, one after another. @throws as readPart. */
export function checkPart(store: ObjectStore, key: string, part: Expected, memory: Uint8Array): Promise<void> {
  const pieces = async function* () {
    for (const range of rangesOf(part, memory.byteLength - 1)) yield await store.get(key, { range, into: memory });
  };
  return verify(`${store.url}/${key}`, part, pieces());
}

const piecesOf = (store: ObjectStore, key: string, part: Expected): AsyncIterable<Uint8Array> =>
  ahead(rangesOf(part, PIECE_BYTES), { weight: 2, of: () => 1 }, (range) => store.get(key, { range }));

/** One byte more than there should be is asked for, so that an object that is too long shows. */
function rangesOf({ size }: Expected, bytes: number): ByteRange[] {
  const ranges: ByteRange[] = [];
  for (let start = 0; start === 0 || start < size; start += bytes)
    ranges.push({ start, end: start + bytes < size ? start + bytes : size + 1 });
  return ranges;
}

async function verify(
  where: string,
  { size, sha256 }: Expected,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.byteLength;
    await update(hash, piece);
  }
  if (bytes !== size) throw new PlumeError("DATA_LOSS", `${where} has ${bytes} bytes, its manifest says ${size}`);
  const digest = hash.digest("hex");
  if (digest === sha256) return;
  const short = (hex: string) => `${hex.slice(0, 12)}…`;
  throw new PlumeError("DATA_LOSS", `${where} has sha256 ${short(digest)}, its manifest says ${short(sha256)}`);
}
