// Where this host keeps what can be fetched or built again: data sets, native backends. Outside node_modules, so that
// `npm ci` does not wipe it.

import { homedir } from "node:os";
import { join } from "node:path";

export const cacheFolder = (...parts: string[]): string =>
  join(process.env.PLUME_CACHE ?? join(homedir(), ".cache", "plume"), ...parts);
