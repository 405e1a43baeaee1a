// A store in memory: for tests and runs that keep nothing. Differs from the others in that it cannot fail to write.

import { PlumeError } from "../errors.ts";
import { checkKey } from "./key.ts";
import { ABSENT, type ObjectStore, PRESENT } from "./object-store.ts";

/** @param now milliseconds, for the age of objects. */
export function memoryStore(now: () => number = Date.now): ObjectStore {
  const objects = new Map<string, { readonly bytes: Uint8Array; readonly modifiedMs: number }>();
  const set = (key: string, bytes: Uint8Array) => void objects.set(key, { bytes: copyOf(bytes), modifiedMs: now() });
  const infoOf = ({ bytes, modifiedMs }: { readonly bytes: Uint8Array; readonly modifiedMs: number }) => ({
    size: bytes.byteLength,
    modifiedMs,
  });
  return {
    url: "memory:",
    async put(key, bytes, signal) {
      signal?.throwIfAborted();
      set(checkKey(key), bytes);
    },
    async putIfAbsent(key, bytes, signal) {
      signal?.throwIfAborted();
      if (objects.has(checkKey(key)))
        throw new PlumeError("ALREADY_EXISTS", `memory:${key} exists already`, { remedy: PRESENT });
      set(key, bytes);
    },
    async get(key, { range, signal } = {}) {
      signal?.throwIfAborted();
      const { bytes } = objects.get(checkKey(key)) ?? {};
      if (!bytes) throw new PlumeError("NOT_FOUND", `memory:${key} does not exist`, { remedy: ABSENT });
      return copyOf(bytes.subarray(range?.start ?? 0, range?.end ?? bytes.length));
    },
    async head(key, signal) {
      signal?.throwIfAborted();
      const object = objects.get(checkKey(key));
      return object ? infoOf(object) : null;
    },
    async *list(prefix, signal) {
      for (const key of [...objects.keys()].filter((candidate) => candidate.startsWith(prefix)).sort()) {
        signal?.throwIfAborted();
        const object = objects.get(key);
        if (object) yield { key, ...infoOf(object) };
      }
    },
    async delete(key, signal) {
      signal?.throwIfAborted();
      objects.delete(checkKey(key));
    },
  };
}

/** A Buffer's own slice() is a view. */
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);
