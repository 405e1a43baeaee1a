// Where the objects of a set lie: a folder of this machine, or a place in an object store. Only what reading needs, and
// any name that an object may have.

import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { PlumeError } from "../errors.ts";
import { endpointOf, type StoreAccess } from "../store/access.ts";
import { readRange } from "../store/file.ts";
import { ANY_KEYS } from "../store/key.ts";
import type { ObjectStore } from "../store/object-store.ts";

export interface ObjectReader extends Pick<ObjectStore, "url" | "list" | "get"> {
  /** On this machine's own file system: nothing is gained by a cache. */
  readonly isLocal: boolean;
  /** Tells this place from every other one. */
  readonly identity: string;
}

/** @param folder s3://BUCKET/PREFIX, file://DIR or DIR. @throws PlumeError INVALID_ARGUMENT for another scheme. */
export async function openReader(folder: string, access: StoreAccess): Promise<ObjectReader> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(folder)?.[1];
  if (scheme === undefined) return folderReader(folder);
  if (scheme === "file") return folderReader(folder.slice("file://".length));
  if (scheme !== "s3")
    throw new PlumeError("INVALID_ARGUMENT", `data.source ${folder}: data cannot be read over ${scheme}://`, {
      remedy: "use s3://BUCKET/PREFIX/ (any S3 endpoint: spec.store.endpoint) or a folder",
    });
  const { s3Store } = await import("../store/s3.ts"); // the SDK takes long to load
  const store = await s3Store(folder.slice("s3://".length), access, Date.now, ANY_KEYS);
  if (!store)
    throw new PlumeError("INVALID_ARGUMENT", `data.source ${folder} names no bucket`, {
      remedy: "for example s3://bucket/prefix/",
    });
  return {
    url: folder,
    isLocal: false,
    identity: `${endpointOf(access) ?? ""} ${folder}`,
    list: (prefix, signal) => store.list(prefix, signal),
    get: (key, options) => store.get(key, options),
  };
}

function folderReader(path: string): ObjectReader {
  const root = path === "" ? "." : path;
  return {
    url: root,
    isLocal: true,
    identity: root,
    async *list(prefix, signal) {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((cause: Error) => {
        throw new PlumeError("NOT_FOUND", `cannot read the folder ${root}: ${cause.message}`, {
          remedy: "name an existing folder in data.source",
          cause,
        });
      });
      const keys = entries
        .filter((entry) => entry.isFile() || entry.isSymbolicLink())
        .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
        .filter((key) => key.startsWith(prefix));
      for (const key of keys.sort()) {
        signal?.throwIfAborted();
        const found = await stat(join(root, key)).catch(() => null); // a link to nothing
        if (found?.isFile()) yield { key, size: found.size, modifiedMs: found.mtimeMs };
      }
    },
    async get(key, { range, signal } = {}) {
      signal?.throwIfAborted();
      const path = join(root, key);
      let handle: FileHandle | null = null;
      try {
        handle = await open(path, "r");
        return await readRange(handle, range);
      } catch (cause) {
        throw explain(path, cause as NodeJS.ErrnoException);
      } finally {
        await handle?.close();
      }
    },
  };
}

/** Of a disk or its network that may be well again soon. */
const PASSING: readonly (string | undefined)[] = ["EIO", "ESTALE", "ETIMEDOUT", "EMFILE", "ENFILE", "EAGAIN", "EBUSY"];

function explain(path: string, cause: NodeJS.ErrnoException): PlumeError {
  const [code, remedy] =
    cause.code === "ENOENT"
      ? (["NOT_FOUND", "put it back, or start a new run with what is there"] as const)
      : PASSING.includes(cause.code)
        ? (["UNAVAILABLE", "see to the disk"] as const)
        : (["FAILED_PRECONDITION", "make it readable"] as const);
  return new PlumeError(code, `cannot read ${path}: ${cause.message}`, { remedy, cause });
}
