// Reads golden files: from GOLDENS_DIR, or the committed vectors.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GoldenCase } from "./family.ts";

const COMMITTED = fileURLToPath(new URL("./vectors", import.meta.url));

/** @returns the cases of a family, or null when the folder has no file for it. */
export function loadFamily(name: string): readonly GoldenCase[] | null {
  const file = join(process.env.GOLDENS_DIR || COMMITTED, `${name}.json`);
  if (!existsSync(file)) return null;
  return (JSON.parse(readFileSync(file, "utf8")) as { cases: GoldenCase[] }).cases;
}
