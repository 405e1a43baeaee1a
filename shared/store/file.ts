// A store in a folder: an object is a file, written beside its place, flushed, moved there, and the folder flushed.
// What is half-written has a name that list() never shows; a power cut leaves an object whole or absent.

import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { PlumeError } from "../errors.ts";
import { checkKey, RESERVED } from "./key.ts";
import { ABSENT, type ByteRange, type ObjectStore, PRESENT } from "./object-store.ts";

type Publish = (partial: string, path: string) => Promise<void>;

export interface FileStoreOptions {
  /** false: objects survive the death of this process, but not of the machine. */
  readonly flush?: boolean;
}

/** @param folder made on the first write. Parents of an object that is deleted go with it once they are empty. */
export function fileStore(folder: string, { flush = true }: FileStoreOptions = {}): ObjectStore {
  const root = resolve(folder);
  const pathOf = (key: string): string => join(root, ...checkKey(key).split("/"));

  const write = async (key: string, bytes: Uint8Array, publish: Publish, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    const path = pathOf(key);
    try {
      await writeOnce(path, bytes, publish, flush);
    } catch (cause) {
      // A deletion removed the empty folder between its making and the file's: once more, from the start.
      if (!isMissing(cause)) throw describeWrite(path, cause);
      await writeOnce(path, bytes, publish, flush).catch((again) => {
        throw describeWrite(path, again);
      });
    }
  };

  return {
    url: `file://${folder}`,
    put: (key, bytes, signal) => write(key, bytes, rename, signal),
    putIfAbsent: (key, bytes, signal) => write(key, bytes, linkNew, signal),
    async get(key, { range, into, signal } = {}) {
      signal?.throwIfAborted();
      const path = pathOf(key);
      try {
        const handle = await open(path, "r");
        try {
          return await readRange(handle, range, into);
        } finally {
          await handle.close();
        }
      } catch (cause) {
        if (isMissing(cause) || isCode(cause, "EISDIR"))
          throw new PlumeError("NOT_FOUND", `${path} does not exist`, { cause, remedy: ABSENT });
        throw describeRead(path, cause);
      }
    },
    async head(key, signal) {
      signal?.throwIfAborted();
      const path = pathOf(key);
      try {
        const found = await stat(path);
        return found.isFile() ? infoOf(found) : null;
      } catch (cause) {
        if (isMissing(cause)) return null;
        throw describeRead(path, cause);
      }
    },
    async *list(prefix, signal) {
      const start = prefix.includes("/") ? prefix.slice(0, prefix.lastIndexOf("/")) : "";
      if (start.split("/").includes("..")) return;
      for await (const key of walk(root, start)) {
        signal?.throwIfAborted();
        if (!key.startsWith(prefix)) continue;
        const found = await stat(pathOf(key)).catch((cause: unknown) => {
          if (isMissing(cause)) return null; // removed since its folder was read
          throw describeRead(key, cause);
        });
        if (found) yield { key, ...infoOf(found) };
      }
    },
    async delete(key, signal) {
      signal?.throwIfAborted();
      const path = pathOf(key);
      try {
        await rm(path, { force: true });
        for (let parent = dirname(path); parent.startsWith(root + sep); parent = dirname(parent)) await rmdir(parent);
      } catch (cause) {
        if (!isMissing(cause) && !isCode(cause, "ENOTEMPTY", "EEXIST")) throw describeWrite(path, cause);
      }
    },
  };
}

async function writeOnce(path: string, bytes: Uint8Array, publish: Publish, flush: boolean): Promise<void> {
  const parent = dirname(path);
  const partial = join(parent, `${RESERVED}${randomUUID()}`);
  const firstMade = await mkdir(parent, { recursive: true });
  try {
    const handle = await open(partial, "wx");
    try {
      await handle.writeFile(bytes);
      if (flush) await handle.sync();
    } finally {
      await handle.close();
    }
    await publish(partial, path);
  } finally {
    await rm(partial, { force: true }).catch(() => {});
  }
  if (!flush) return;
  // The names last as the bytes do: the file's in its folder, and every new folder's in the one above.
  await flushFolder(parent);
  if (firstMade)
    for (let made = parent; made.length >= firstMade.length; made = dirname(made)) await flushFolder(dirname(made));
}

/** link(2) fails where the name exists, so of several racers one wins. */
const linkNew: Publish = async (partial, path) => {
  await link(partial, path).catch((cause: unknown) => {
    if (isCode(cause, "EEXIST"))
      throw new PlumeError("ALREADY_EXISTS", `${path} exists already`, { cause, remedy: PRESENT });
    throw cause;
  });
};

async function flushFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } catch (error) {
    if (!isCode(error, "EINVAL", "ENOTSUP")) throw error; // a network file system that knows no such thing
  } finally {
    await handle.close();
  }
}

/** The whole file without a range. @param into memory that is used when the bytes fit. */
export async function readRange(handle: FileHandle, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array> {
  if (!range) return handle.readFile();
  const { size } = await handle.stat();
  const length = Math.max(0, Math.min(range.end, size) - range.start);
  const memory = into && into.byteLength >= length ? into : Buffer.alloc(length);
  const { buffer, bytesRead } = await handle.read(memory, 0, length, range.start);
  return buffer.subarray(0, bytesRead);
}

const infoOf = ({ size, mtimeMs }: Stats) => ({ size, modifiedMs: mtimeMs });

async function* walk(root: string, relative: string): AsyncIterable<string> {
  const path = join(root, relative);
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    if (isMissing(cause)) return [];
    throw describeRead(path, cause);
  });
  // A folder sorts as its keys do: with the slash behind its name.
  const named = entries.map((entry) => ({ entry, sort: entry.isDirectory() ? `${entry.name}/` : entry.name }));
  for (const { entry } of named.sort((a, b) => (a.sort < b.sort ? -1 : 1))) {
    if (entry.name.startsWith(RESERVED)) continue;
    const key = relative ? `${relative}/${entry.name}` : entry.name;
    if (entry.isDirectory()) yield* walk(root, key);
    else yield key;
  }
}

const isCode = (error: unknown, ...codes: string[]): boolean => codes.includes((error as NodeJS.ErrnoException).code!);
const isMissing = (error: unknown): boolean => isCode(error, "ENOENT", "ENOTDIR");

function describeWrite(path: string, cause: unknown): PlumeError {
  if (cause instanceof PlumeError) return cause;
  const full = isCode(cause, "ENOSPC", "EDQUOT");
  const message = `cannot write ${path}: ${(cause as Error).message}`;
  return new PlumeError(full ? "RESOURCE_EXHAUSTED" : "FAILED_PRECONDITION", message, {
    remedy: full ? "free some space" : "check that the folder of checkpoint.store can be written",
    cause,
  });
}

function describeRead(path: string, cause: unknown): PlumeError {
  return new PlumeError("FAILED_PRECONDITION", `cannot read ${path}: ${(cause as Error).message}`, {
    remedy: "check that the folder of checkpoint.store can be read",
    cause,
  });
}
