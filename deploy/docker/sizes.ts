// How large the parts of a root file system are.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** By prefix of the path; the first that fits counts. */
const PARTS: readonly (readonly [string, RegExp])[] = [
  ["node", /^usr\/local\/bin\/node$/],
  ["C and C++ libraries", /^(usr\/)?lib/],
  ["sharp and libvips", /^app\/node_modules\/(sharp|@img|semver|detect-libc)\//],
  ["native backend", /^app\/native\//],
  ["TensorFlow.js's wasm", /^app\/node_modules\/@tensorflow\//],
  ["bundles", /^app\/[^/]+\.mjs$/],
  ["the page", /^app\/(page|generate)\//],
  ["all else", /^/],
];

function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root).length + 1))
    .sort();
}

/** Bytes by part. */
function sizesOf(root: string): ReadonlyMap<string, number> {
  const sizes = new Map(PARTS.map(([part]) => [part, 0]));
  for (const file of filesOf(root)) {
    const [part] = PARTS.find(([, pattern]) => pattern.test(file))!;
    sizes.set(part, sizes.get(part)! + statSync(join(root, file)).size);
  }
  return sizes;
}

export function sizeTable(root: string): string {
  const rows = [...sizesOf(root)].filter(([, bytes]) => bytes > 0);
  const all = ["in all", rows.reduce((sum, [, bytes]) => sum + bytes, 0)] as const;
  return [...rows, all]
    .map(([part, bytes]) => `${part.padEnd(22)}${(bytes / 1e6).toFixed(1).padStart(8)} MB`)
    .join("\n");
}
