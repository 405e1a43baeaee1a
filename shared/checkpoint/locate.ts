// The CHECKPOINT argument of the command line: a run's folder, a store, or one checkpoint's folder.

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseJob } from "../config/load.ts";
import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { openStore } from "../store/open.ts";
import { MANIFEST, stepOfKey } from "./manifest.ts";

export interface LocatedCheckpoint {
  readonly store: ObjectStore;
  readonly which: "latest" | number;
}

/** @throws PlumeError NOT_FOUND saying what was looked for. */
export function locateCheckpoint(argument: string): LocatedCheckpoint {
  if (/^[a-z0-9]+:/i.test(argument) && !existsSync(argument)) return { store: openStore(argument), which: "latest" };
  const path = resolve(argument);
  const step = stepOfKey(`${basename(path)}/`);
  if (step !== null && existsSync(join(path, MANIFEST)))
    return { store: openStore(`file://${dirname(path)}`), which: step };
  if (existsSync(join(path, "job.yaml")) && step === null) {
    const job = parseJob(readFileSync(join(path, "job.yaml"), "utf8"), { file: join(path, "job.yaml") });
    return { store: openStore(job.spec.checkpoint.store ?? `file://${join(path, "checkpoints")}`), which: "latest" };
  }
  if (existsSync(path)) return { store: openStore(`file://${path}`), which: "latest" };
  throw new PlumeError("NOT_FOUND", `${argument} is no checkpoint: there is no such folder`, {
    remedy: "name a run's folder (runs/fashion), its checkpoints folder, or one step-… folder in it",
  });
}
