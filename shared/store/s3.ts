// A store in a bucket of S3 or of a server that speaks like it. open.ts imports this when an s3:// URL is opened, so that
// nobody else waits for the SDK.
//
// I1 is S3's own: a put and a completed multipart upload show an object whole or not at all.
// I2 is PutObject with If-None-Match: *. A server that ignores it is found by preflight.ts.

import { setTimeout as sleep } from "node:timers/promises";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { PlumeError } from "../errors.ts";
import type { StoreAccess } from "./access.ts";
import { type Keys, OWN_KEYS } from "./key.ts";
import { ABSENT, type ByteRange, type ObjectInfo, type ObjectStore, PRESENT } from "./object-store.ts";
import { openPlace, sending } from "./s3-client.ts";
import { explain, isAmbiguous, isConflict, isMismatch, isMissing, isTaken, statusOf } from "./s3-errors.ts";
import { MULTIPART_BYTES, putInParts } from "./s3-multipart.ts";

/** What the SDK does not try again by itself: a body that breaks off, other bytes than were sent, a conflict of writers. */
const TRIES = 4;
const PAUSE_MS = 100;

/** @param rest of the URL, behind s3://. @returns null when it names no bucket. */
export async function s3Store(
  rest: string,
  access: StoreAccess = {},
  now: () => number = Date.now,
  keys: Keys = OWN_KEYS,
): Promise<ObjectStore | null> {
  const place = await openPlace(rest, access, keys);
  if (!place) return null;
  const { client, bucket: Bucket, prefix: base } = place;
  const nameOf = (key: string): string => `s3://${Bucket}/${base}${key}`;
  const targetOf = (key: string) => ({ Bucket, Key: base + keys.check(key) });

  /** Tries again what may help; turns what is left into an error for a person, or the signal's reason. */
  const act = async <T>(doing: string, signal: AbortSignal | undefined, once: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await once();
      } catch (error) {
        signal?.throwIfAborted();
        if (attempt === TRIES || !(error instanceof Torn || isMismatch(error) || isConflict(error)))
          throw explain(doing, error instanceof Torn ? error.cause : error, place, now());
        await sleep(PAUSE_MS * 2 ** attempt, undefined, { signal }).catch(() => {});
      }
    }
  };

  const read = async (key: string, range: ByteRange | undefined, signal?: AbortSignal): Promise<Uint8Array> => {
    const Range = range && `bytes=${range.start}-${range.end - 1}`;
    const answer = await client.send(new GetObjectCommand({ ...targetOf(key), Range }), sending(place, signal));
    return collect(answer);
  };

  const get = async (key: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> => {
    keys.check(key);
    return act(`read ${nameOf(key)}`, signal, () =>
      read(key, range, signal).catch((error: unknown) => {
        if (isMissing(error)) throw new PlumeError("NOT_FOUND", `${nameOf(key)} does not exist`, { remedy: ABSENT });
        if (range && statusOf(error) === 416) return new Uint8Array(); // past the object's end
        throw error;
      }),
    );
  };

  const head: ObjectStore["head"] = async (key, signal) => {
    const command = new HeadObjectCommand(targetOf(key));
    return act(`look for ${nameOf(key)}`, signal, () =>
      client.send(command, sending(place, signal)).then(
        ({ ContentLength, LastModified }) => infoOf(ContentLength, LastModified),
        (error: unknown) => {
          if (isMissing(error)) return null;
          throw error;
        },
      ),
    );
  };

  const putWhole = async (key: string, bytes: Uint8Array, signal?: AbortSignal, IfNoneMatch?: "*"): Promise<void> => {
    const command = new PutObjectCommand({ ...targetOf(key), Body: bytes, IfNoneMatch, ChecksumAlgorithm: "CRC32" });
    await client.send(command, sending(place, signal, bytes.byteLength));
  };

  /** After an answer that leaves it open: what is there now. Equal bytes are our own, for a manifest names its writer. */
  const settle = async (key: string, bytes: Uint8Array, error: unknown, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    if (!isAmbiguous(error)) throw error;
    const there = await read(key, undefined, signal).catch(() => null);
    if (!there) throw error;
    if (Buffer.compare(there, bytes) !== 0) throw taken(key);
  };

  const taken = (key: string): PlumeError =>
    new PlumeError("ALREADY_EXISTS", `${nameOf(key)} exists already`, { remedy: PRESENT });

  return {
    url: `s3://${rest.replace(/\/+$/, "")}`,
    async put(key, bytes, signal) {
      keys.check(key);
      await act(`write ${nameOf(key)}`, signal, () =>
        bytes.byteLength < MULTIPART_BYTES
          ? putWhole(key, bytes, signal)
          : putInParts(place, base + key, bytes, signal),
      );
    },
    async putIfAbsent(key, bytes, signal) {
      keys.check(key);
      await act(`write ${nameOf(key)}`, signal, () =>
        putWhole(key, bytes, signal, "*").catch((error: unknown) => {
          if (isConflict(error)) throw error;
          if (isTaken(error) && !isAmbiguous(error)) throw taken(key);
          return settle(key, bytes, error, signal);
        }),
      );
    },
    async get(key, { range, signal } = {}) {
      if (!range || range.start < range.end) return get(key, range, signal);
      if (await head(key, signal)) return new Uint8Array();
      throw new PlumeError("NOT_FOUND", `${nameOf(key)} does not exist`, { remedy: ABSENT });
    },
    head,
    async *list(prefix, signal) {
      if (prefix.split("/").includes("..")) return;
      let ContinuationToken: string | undefined;
      do {
        const command = new ListObjectsV2Command({ Bucket, Prefix: base + prefix, ContinuationToken });
        const page = await act(`list s3://${Bucket}/${base}${prefix}`, signal, () =>
          client.send(command, sending(place, signal)),
        );
        for (const { Key = "", Size, LastModified } of page.Contents ?? []) {
          signal?.throwIfAborted();
          const key = Key.slice(base.length);
          // What other tools left: folder markers, names that plume has no use for.
          if (keys.is(key)) yield { key, ...infoOf(Size, LastModified) };
        }
        ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (ContinuationToken !== undefined);
    },
    async delete(key, signal) {
      const command = new DeleteObjectCommand(targetOf(key));
      await act(`delete ${nameOf(key)}`, signal, () =>
        client.send(command, sending(place, signal)).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        }),
      );
    },
  };
}

const infoOf = (size = 0, modified = new Date(0)): ObjectInfo => ({ size, modifiedMs: modified.getTime() });

/** A body that did not come whole. */
class Torn extends Error {}

/** The body; the SDK holds a whole object's against its checksum. @throws Torn, or the SDK's mismatch. */
async function collect({ Body, ContentLength }: GetObjectCommandOutput): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of Body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.byteLength;
    }
  } catch (cause) {
    throw isMismatch(cause) ? cause : new Torn("the body broke off", { cause });
  }
  if (ContentLength !== undefined && length !== ContentLength)
    throw new Torn("the body broke off", { cause: { name: "IncompleteBody" } });
  return Buffer.concat(chunks, length);
}
