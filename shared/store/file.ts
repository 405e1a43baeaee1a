// A store in a folder: an object is a file, written beside its place, flushed, and moved there. What is half-written
// has a name that list() never shows.

import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "./object-store.ts";

const PARTIAL = ".partial-";

export function fileStore(folder: string): ObjectStore {
  const root = resolve(folder);
  const pathOf = (key: string): string => {
    const path = resolve(root, key);
    if (!path.startsWith(root + sep))
      throw new PlumeError("INVALID_ARGUMENT", `key ${key} leads out of the store ${folder}`);
    return path;
  };

  /** Writes beside the target, then `publish` moves it into place. */
  const write = async (key: string, bytes: Uint8Array, publish: (partial: string, path: string) => Promise<void>) => {
    const path = pathOf(key);
    const partial = join(dirname(path), `${PARTIAL}${randomUUID()}`);
    try {
      await mkdir(dirname(path), { recursive: true });
      const handle = await open(partial, "wx");
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await publish(partial, path);
    } catch (cause) {
      if (cause instanceof PlumeError) throw cause;
      const { code, message } = cause as NodeJS.ErrnoException;
      const full = code === "ENOSPC";
      throw new PlumeError(full ? "RESOURCE_EXHAUSTED" : "FAILED_PRECONDITION", `cannot write ${path}: ${message}`, {
        remedy: full ? "free some space" : "check that the folder of checkpoint.store can be written",
        cause,
      });
    } finally {
      await rm(partial, { force: true }).catch(() => {});
    }
  };

  async function* walk(relative: string): AsyncIterable<string> {
    const entries = await readdir(join(root, relative), { withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        throw error;
      },
    );
    // A folder sorts as its keys do: with the slash behind its name.
    const named = entries.map((entry) => ({ entry, sort: entry.isDirectory() ? `${entry.name}/` : entry.name }));
    for (const { entry } of named.sort((a, b) => (a.sort < b.sort ? -1 : 1))) {
      if (entry.name.startsWith(PARTIAL)) continue;
      const key = relative ? `${relative}/${entry.name}` : entry.name;
      if (entry.isDirectory()) yield* walk(key);
      else yield key;
    }
  }

  return {
    url: `file://${folder}`,
    put: (key, bytes) => write(key, bytes, rename),
    putIfAbsent: (key, bytes) =>
      write(key, bytes, async (partial, path) => {
        // link(2) fails where the name exists, so of several racers one wins.
        await link(partial, path).catch((cause: NodeJS.ErrnoException) => {
          if (cause.code === "EEXIST") throw new PlumeError("ALREADY_EXISTS", `${path} exists already`, { cause });
          throw cause;
        });
      }),
    async get(key) {
      return readFile(pathOf(key)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === "ENOENT") throw new PlumeError("NOT_FOUND", `${pathOf(key)} does not exist`, { cause });
        throw cause;
      });
    },
    async *list(prefix) {
      for await (const key of walk("")) if (key.startsWith(prefix)) yield key;
    },
    async delete(key) {
      await rm(pathOf(key), { force: true });
    },
  };
}
