// Reads bytes of a set's objects: so many at once and no more, again when the network failed, and always as many bytes as
// were asked for. What a store or a network did is never taken for a fault of the data.

import { sleep } from "../clock.ts";
import { PlumeError } from "../errors.ts";
import type { ByteRange, StoredObject } from "../store/object-store.ts";
import type { ObjectReader } from "./reader.ts";

/** @throws PlumeError UNAVAILABLE after all tries, NOT_FOUND for an object that is gone, INVALID_ARGUMENT for one that has shrunk. */
export type Fetch = (object: StoredObject, range?: ByteRange, signal?: AbortSignal) => Promise<Uint8Array>;

/** Reads under way at once in a process: as many as the S3 client has connections. */
const AT_ONCE = 16;

/** Pauses before the next try. A store that is started anew is back within a minute. */
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

/** Of a transfer; all of them pass. */
const TRANSIENT: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "DATA_LOSS"]);

export function createFetch(reader: ObjectReader, pausesMs: readonly number[] = PAUSES_MS): Fetch {
  const slots = createSlots(AT_ONCE);

  const once = async (object: StoredObject, range: ByteRange | undefined, signal: AbortSignal | undefined) => {
    const wanted = (range?.end ?? object.size) - (range?.start ?? 0);
    if (wanted === 0) return new Uint8Array(0);
    const bytes = await reader.get(object.key, { ...(range && { range }), signal });
    if (bytes.length === wanted) return bytes;
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `${nameOf(reader, object)} has changed since it was indexed: ${bytes.length} bytes where ${wanted} were`,
      { remedy: "a data set must not change while a run uses it: put it back, or start a new run" },
    );
  };

  return (object, range, signal) =>
    slots(async () => {
      for (let tried = 0; ; tried++) {
        try {
          return await once(object, range, signal);
        } catch (error) {
          if (signal?.aborted || !(error instanceof PlumeError)) throw error;
          if (error.code === "NOT_FOUND") throw gone(reader, object, error);
          if (!TRANSIENT.has(error.code)) throw error;
          const pause = pausesMs[tried];
          if (pause === undefined)
            throw new PlumeError(
              "UNAVAILABLE",
              `${nameOf(reader, object)} cannot be read, tried ${tried + 1} times: ${error.message}`,
              { remedy: error.remedy ?? "see to the network and the store of data.source", cause: error },
            );
          await sleep(pause, signal);
        }
      }
    });
}

const gone = (reader: ObjectReader, object: StoredObject, cause: PlumeError) =>
  new PlumeError("NOT_FOUND", `${nameOf(reader, object)} is gone since it was indexed`, {
    remedy: "put it back, or start a new run with what is there",
    cause,
  });

export const nameOf = ({ url }: ObjectReader, { key }: { readonly key: string }): string =>
  url.endsWith("/") ? `${url}${key}` : `${url}/${key}`;

/** At most so many at once; the others wait in the order in which they came. */
function createSlots(count: number) {
  const waiting: (() => void)[] = [];
  let free = count;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
