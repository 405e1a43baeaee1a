// A store in memory: for tests and runs that keep nothing. Differs from the others in that it cannot fail to write.

import { PlumeError } from "../errors.ts";
import { checkKey } from "./key.ts";
import type { ObjectStore } from "./object-store.ts";

export function memoryStore(): ObjectStore {
  const objects = new Map<string, Uint8Array>();
  return {
    url: "memory:",
    async put(key, bytes, signal) {
      signal?.throwIfAborted();
      objects.set(checkKey(key), bytes.slice());
    },
    async putIfAbsent(key, bytes, signal) {
      signal?.throwIfAborted();
      if (objects.has(checkKey(key))) throw new PlumeError("ALREADY_EXISTS", `memory:${key} exists already`);
      objects.set(key, bytes.slice());
    },
    async get(key, { range, signal } = {}) {
      signal?.throwIfAborted();
      const bytes = objects.get(checkKey(key));
      if (!bytes) throw new PlumeError("NOT_FOUND", `memory:${key} does not exist`);
      return bytes.slice(range?.start ?? 0, range?.end ?? bytes.length);
    },
    async head(key, signal) {
      signal?.throwIfAborted();
      const bytes = objects.get(checkKey(key));
      return bytes ? { size: bytes.byteLength } : null;
    },
    async *list(prefix, signal) {
      for (const key of [...objects.keys()].filter((candidate) => candidate.startsWith(prefix)).sort()) {
        signal?.throwIfAborted();
        yield key;
      }
    },
    async delete(key, signal) {
      signal?.throwIfAborted();
      objects.delete(checkKey(key));
    },
  };
}
