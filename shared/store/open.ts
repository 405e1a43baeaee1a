// From a URL to a store: the table of stores by scheme.

import { PlumeError } from "../errors.ts";
import type { StoreAccess } from "./access.ts";
import { fileStore } from "./file.ts";
import { memoryStore } from "./memory.ts";
import type { ObjectStore } from "./object-store.ts";

interface StoreKind {
  readonly usage: string;
  /** @param rest what follows the scheme. @returns null when it names no place. */
  open(rest: string, access: StoreAccess): ObjectStore | null | Promise<ObjectStore | null>;
}

const STORES: Readonly<Record<string, StoreKind>> = {
  // The folder as it is written: relative to the working directory, or absolute.
  "file://": { usage: "file://DIR", open: (folder) => (folder === "" ? null : fileStore(folder)) },
  "s3://": {
    usage: "s3://BUCKET/PREFIX",
    // The SDK takes longer to load than all of plume: only who has such a store waits for it.
    open: async (rest, access) => (await import("./s3.ts")).s3Store(rest, access),
  },
  "memory:": { usage: "memory:", open: (rest) => (rest === "" ? memoryStore() : null) },
};

/** @throws PlumeError INVALID_ARGUMENT. */
export async function openStore(url: string, access: StoreAccess = {}): Promise<ObjectStore> {
  const scheme = Object.keys(STORES).find((each) => url.startsWith(each));
  const store = scheme === undefined ? null : await STORES[scheme]!.open(url.slice(scheme.length), access);
  if (store) return store;
  const usages = Object.values(STORES).map(({ usage }) => usage);
  throw new PlumeError("INVALID_ARGUMENT", `checkpoint.store ${url} is no store that plume knows`, {
    remedy: `use ${usages.slice(0, -1).join(", ")} or ${usages.at(-1)}, for example file://runs/fashion/checkpoints`,
  });
}
