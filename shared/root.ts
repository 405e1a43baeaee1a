// Where plume lies on this machine, and its processes' entry points: the same words whether a process runs from the
// TypeScript sources (tests) or from a bundle (everything that `plume` starts).

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = fileURLToPath(import.meta.url);
const FROM_SOURCES = HERE.endsWith(".ts");

/** The folder that holds package.json. */
export const ROOT = nearest("package.json", dirname(HERE));

/** A file that plume brings along: weights, WebAssembly, protocol descriptions. @param path relative to the root. */
export const asset = (path: string): URL => pathToFileURL(join(ROOT, path));

/** The entry points of bundle.mjs, and the source each is made of. */
const ENTRIES = {
  plume: "coordinator/cli/main.ts",
  coordinator: "coordinator/main.ts",
  worker: "worker/main.ts",
  reducer: "coordinator/reducers/main.ts",
  operator: "k8s/operator/main.ts",
  drawer: "coordinator/cli/drawing/drawer.ts",
  // A thread does not inherit its parent's loader: from sources it begins with a script that registers one.
  "compute-thread": "worker/compute-thread.mjs",
} as const;

export interface Entry {
  readonly file: string;
  /** Options of the node that runs it. */
  readonly execArgv: readonly string[];
}

export const entry = (name: keyof typeof ENTRIES): Entry =>
  FROM_SOURCES
    ? { file: join(ROOT, ENTRIES[name]), execArgv: ["--import", "tsx", "--enable-source-maps"] }
    : { file: join(dirname(HERE), `${name}.mjs`), execArgv: ["--enable-source-maps"] };

/** The folder of the bundle; null when this process runs from the sources. */
export const BUNDLE = FROM_SOURCES ? null : dirname(HERE);

function nearest(name: string, from: string): string {
  let folder = from;
  while (!existsSync(join(folder, name)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
