// An exported folder on disk: whole or absent.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { PlumeError } from "../errors.ts";

/** @throws PlumeError ALREADY_EXISTS when the folder is there and not empty, without `force`. */
export function writeFolder(folder: string, files: Readonly<Record<string, Uint8Array>>, force: boolean): void {
  const target = resolve(folder);
  refuseIfFilled(target, folder, force);
  mkdirSync(dirname(target), { recursive: true });
  const partial = beside(target, "partial");
  mkdirSync(partial);
  try {
    for (const [path, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(partial, path)), { recursive: true });
      writeFileSync(join(partial, path), bytes, { flush: true });
    }
    replace(partial, target);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Before the work of making its files, and again when they are made. */
export function refuseIfFilled(target: string, named: string, force: boolean): void {
  if (force || !existsSync(target)) return;
  let entries: string[];
  try {
    entries = readdirSync(target);
  } catch (cause) {
    throw new PlumeError("INVALID_ARGUMENT", `-o ${named} is no folder: ${(cause as Error).message}`, {
      remedy: "name a folder, or one that is not there yet",
      cause,
    });
  }
  if (entries.length > 0)
    throw new PlumeError("ALREADY_EXISTS", `-o ${named} is there already and holds ${entries[0]}`, {
      remedy: "name another folder, or replace this one with --force",
    });
}

/** What is there goes only once the new folder stands beside it. */
function replace(partial: string, target: string): void {
  const old = beside(target, "old");
  if (existsSync(target)) renameSync(target, old);
  renameSync(partial, target);
  rmSync(old, { recursive: true, force: true });
}

const beside = (target: string, what: string): string =>
  join(dirname(target), `.${basename(target)}-${what}-${process.pid}`);
