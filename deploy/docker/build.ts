// The root file system of plume's image as a folder. The Dockerfile's builder stage runs this, tests run from its folder,
// and what it does not write is not in the image.

import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { PlumeError } from "../../shared/errors.ts";
import { writeApp } from "./app.ts";
import { type Variant, writeNative } from "./native.ts";
import { settle } from "./settle.ts";
import { writeSystem } from "./system.ts";

/**
 * Writes it whole or not at all: into a folder beside `out`, then in its place. The same bits from the same sources,
 * packages and node. @throws PlumeError ALREADY_EXISTS when `out` is something else than an older root file system.
 */
export async function buildRootfs(out: string, variant: Variant): Promise<void> {
  const whole = resolve(out);
  if (!isOurs(whole))
    throw new PlumeError("ALREADY_EXISTS", `--out ${out} is there, and is no root file system of plume's`, {
      remedy: "name a folder that is not there yet",
    });
  const partial = `${whole}.${process.pid}`;
  try {
    writeSystem(partial);
    await writeApp(partial);
    writeNative(partial, variant);
    settle(partial);
    rmSync(whole, { recursive: true, force: true });
    renameSync(partial, whole);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Nothing is lost when it goes. */
const isOurs = (folder: string): boolean =>
  !existsSync(folder) || readdirSync(folder).length === 0 || existsSync(join(folder, "app/coordinator.mjs"));
