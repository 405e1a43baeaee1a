// The folder on tmpfs through which same-host workers exchange tensors with the coordinator: parameters by version,
// results by lease. A nonce file proves that a worker sees the same folder; without that proof gRPC carries the bytes.

import { randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isResultOf, NONCE_FILE, SHM_ROOT, sharedParamsFile } from "../../shared/rpc/shm.ts";

export interface SharedMemory {
  /** Empty when this run has none. */
  readonly folder: string;
  readonly nonce: string;
  /**
   * Puts a vector under its version's name, whole or not at all, over the oldest of those kept. Where it does not fit,
   * workers find no file and pull by gRPC.
   */
  publish(kind: "params" | "ema", version: number, save: (file: string) => Promise<void>): Promise<void>;
  /** Removes the results that a worker left behind; if it is still there, it writes them anew. */
  forget(worker: string): void;
  dispose(): void;
}

/** Vectors that stay under their names: the newest, and those that a slow worker may still be reading. */
const KEPT = 3;

const none: SharedMemory = { folder: "", nonce: "", publish: async () => {}, forget: () => {}, dispose: () => {} };

/** @returns a folder of this process on tmpfs, or the empty one when the transport is grpc or there is no tmpfs. */
export function openSharedMemory(
  job: string,
  transport: "auto" | "shm" | "grpc",
  hooks: {
    /** Called once, the first time that a vector does not fit. */
    readonly onFull: (error: unknown) => void;
    readonly onPublished?: (kind: "params" | "ema") => void;
  },
): SharedMemory {
  if (transport === "grpc" || !isWritable(SHM_ROOT)) return none;
  sweepOrphans();
  const folder = mkdtempSync(join(SHM_ROOT, `plume-${job}-${process.pid}-`));
  const nonce = randomBytes(16).toString("hex");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, NONCE_FILE), nonce, { mode: 0o600 });
  const published: string[] = [];
  let full = false;
  return {
    folder,
    nonce,
    async publish(kind, version, save) {
      const file = join(folder, sharedParamsFile(kind, version));
      const fresh = `${file}.tmp`;
      try {
        if (published.length >= KEPT) await rename(published.shift()!, fresh);
        await save(fresh);
        await rename(fresh, file);
        published.push(file);
        hooks.onPublished?.(kind);
      } catch (error) {
        await rm(fresh, { force: true });
        if (!full) hooks.onFull(error);
        full = true;
      }
    },
    forget(worker) {
      for (const name of readdirSync(folder)) if (isResultOf(name, worker)) rmSync(join(folder, name), { force: true });
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Removes the folders of coordinators that were killed: their process is gone. */
function sweepOrphans(): void {
  for (const name of readdirSync(SHM_ROOT)) {
    const pid = /^plume-.*-(\d+)-[^-]+$/.exec(name)?.[1];
    if (!pid || existsSync(`/proc/${pid}`)) continue;
    if (readable(join(SHM_ROOT, name, NONCE_FILE))) rmSync(join(SHM_ROOT, name), { recursive: true, force: true });
  }
}

function readable(file: string): boolean {
  try {
    return readFileSync(file).length > 0;
  } catch {
    return false;
  }
}
