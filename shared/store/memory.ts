// A store in memory: for tests and runs that keep nothing.

import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "./object-store.ts";

export function memoryStore(): ObjectStore {
  const objects = new Map<string, Uint8Array>();
  return {
    url: "memory:",
    async put(key, bytes) {
      objects.set(key, bytes.slice());
    },
    async putIfAbsent(key, bytes) {
      if (objects.has(key)) throw new PlumeError("ALREADY_EXISTS", `memory:${key} exists already`);
      objects.set(key, bytes.slice());
    },
    async get(key) {
      const bytes = objects.get(key);
      if (!bytes) throw new PlumeError("NOT_FOUND", `memory:${key} does not exist`);
      return bytes.slice();
    },
    async *list(prefix) {
      yield* [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    },
    async delete(key) {
      objects.delete(key);
    },
  };
}
