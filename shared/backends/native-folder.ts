// Where a native backend lies: beside plume in an image, which is read-only and has no cache yet, else in this host's cache.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../cache-folder.ts";
import { ROOT } from "../root.ts";

export function nativeFolder(...parts: string[]): string {
  const embedded = join(ROOT, "native", ...parts);
  return existsSync(embedded) ? embedded : cacheFolder(...parts);
}
