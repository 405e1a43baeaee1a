// Where the set-up scripts of native backends put what they fetched and built: outside node_modules, so that `npm ci`
// does not wipe it.

import { homedir } from "node:os";
import { join } from "node:path";

export const cached = (...parts: string[]): string =>
  join(process.env.PLUME_CACHE ?? join(homedir(), ".cache/plume"), ...parts);

/** What is in the cache asks for TensorFlow.js's core by this name, and must get the one that plume has. */
export function lendCore(core: object): void {
  (globalThis as Record<symbol, unknown>)[Symbol.for("plume.tfjs-core")] = core;
}
