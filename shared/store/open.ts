// From a URL to a store.

import { PlumeError } from "../errors.ts";
import { fileStore } from "./file.ts";
import { memoryStore } from "./memory.ts";
import type { ObjectStore } from "./object-store.ts";

/** `file://DIR` (relative to the working directory, or absolute), `memory:`. @throws PlumeError INVALID_ARGUMENT. */
export function openStore(url: string): ObjectStore {
  if (url.startsWith("file://") && url.length > "file://".length)
    return fileStore(decodeURI(url.slice("file://".length)));
  if (url === "memory:") return memoryStore();
  throw new PlumeError("INVALID_ARGUMENT", `checkpoint.store ${url} is no store that this version knows`, {
    remedy: "use file://DIR",
  });
}
