// The CHECKPOINT argument of the command line: a run's folder, a store, or one checkpoint's folder.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseJob } from "../config/load.ts";
import { PlumeError } from "../errors.ts";
import type { StoreAccess } from "../store/access.ts";
import { fileStore } from "../store/file.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { openStore } from "../store/open.ts";
import { prefixOf, stepOfKey } from "./manifest.ts";

export interface LocatedCheckpoint {
  readonly store: ObjectStore;
  readonly which: "latest" | number;
}

/**
 * @param access how a URL's store is reached; a run's folder says so itself.
 * @throws PlumeError NOT_FOUND saying what was looked for; INVALID_ARGUMENT for a URL of no store.
 */
export async function locateCheckpoint(argument: string, access?: StoreAccess): Promise<LocatedCheckpoint> {
  if (/^[a-z0-9]+:/i.test(argument) && !existsSync(argument)) return locateUrl(argument, access);
  const path = resolve(argument);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw noCheckpoint(argument, existsSync(path) ? "it is no folder" : "there is no such folder");
  const step = stepOfKey(`${basename(path)}/`);
  if (step !== null) return { store: fileStore(dirname(path)), which: step };
  if (existsSync(join(path, "job.yaml"))) return { store: await storeOfRun(path), which: "latest" };
  if (readdirSync(path).some((name) => stepOfKey(`${name}/`) !== null))
    return { store: fileStore(path), which: "latest" };
  throw noCheckpoint(argument, "it has no job.yaml of a run and no step-... folders of a store");
}

/** A store's URL, or one with a step behind it. */
async function locateUrl(url: string, access?: StoreAccess): Promise<LocatedCheckpoint> {
  const last = /^(.+)\/(step-\d{9,})\/?$/.exec(url);
  const step = last ? stepOfKey(`${last[2]}/`) : null;
  return { store: await openStore(step === null ? url : last![1]!, access), which: step ?? "latest" };
}

/** The STORE to put checkpoints into: a URL, a run's own, or a folder that need not be there yet. */
export async function locateStore(argument: string): Promise<ObjectStore> {
  if (/^[a-z0-9]+:/i.test(argument) && !existsSync(argument)) return openStore(argument);
  const path = resolve(argument);
  return existsSync(join(path, "job.yaml")) ? storeOfRun(path) : fileStore(path);
}

/** The store that the job names; its own `checkpoints` when it names none, or one that is not there (a run was moved). */
async function storeOfRun(path: string): Promise<ObjectStore> {
  const own = join(path, "checkpoints");
  const file = join(path, "job.yaml");
  const { checkpoint, store: access } = parseJob(readFileSync(file, "utf8"), { file }).spec;
  const { store } = checkpoint;
  const gone = store?.startsWith("file://") && !existsSync(store.slice("file://".length)) && existsSync(own);
  return store === undefined || gone ? fileStore(own) : openStore(store, access);
}

function noCheckpoint(argument: string, reason: string): PlumeError {
  return new PlumeError("NOT_FOUND", `${argument} is no checkpoint: ${reason}`, {
    remedy: `name a run's folder (runs/fashion), its checkpoints folder, or one ${prefixOf(500)} in it`,
  });
}
