// From a URL to a store.

import { PlumeError } from "../errors.ts";
import { fileStore } from "./file.ts";
import { memoryStore } from "./memory.ts";
import type { ObjectStore } from "./object-store.ts";

/** `file://DIR` (as it is written, relative to the working directory or absolute), `memory:`. @throws PlumeError INVALID_ARGUMENT. */
export function openStore(url: string): ObjectStore {
  if (url.startsWith("file://") && url.length > "file://".length) return fileStore(url.slice("file://".length));
  if (url === "memory:") return memoryStore();
  const reason = url.startsWith("s3://")
    ? "is an S3 store, and S3 is not in this version"
    : "is no store that plume knows";
  throw new PlumeError("INVALID_ARGUMENT", `checkpoint.store ${url} ${reason}`, {
    remedy: "use file://DIR, for example file://runs/fashion/checkpoints",
  });
}
