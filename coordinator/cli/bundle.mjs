// Turns the sources into one folder of plain JavaScript, in a tenth of a second, when they have changed since the last
// time. Processes start in half the time, and all those of a run are of one version, whatever happens to the sources
// while it goes on: a folder is named after what it was made of and never changes.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pageFiles } from "../ui/build.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache/plume");
/** Entry points; shared/root.ts finds them by these names. */
export const ENTRIES = {
  plume: "coordinator/cli/main.ts",
  coordinator: "coordinator/main.ts",
  worker: "worker/main.ts",
  "worker-pod": "worker/pod/main.ts",
  reducer: "coordinator/reducers/main.ts",
  "compute-thread": "worker/compute-thread.ts",
  operator: "k8s/operator/main.ts",
  drawer: "coordinator/cli/drawing/drawer.ts",
};
const SOURCES = ["coordinator", "worker", "shared", "proto/gen", "k8s"];
/** What `plume render` fills in. */
const MANIFESTS = "k8s/base";
/** A folder that no process began with for so long is nobody's. */
const UNUSED_DAYS = 30;

/**
 * @param more other entry points by name, and the folders that they are made of: benches run as plume itself does.
 * @returns the folder that holds plume.mjs, coordinator.mjs, worker.mjs, worker-pod.mjs, reducer.mjs, compute-thread.mjs, drawer.mjs, the pages, and the manifests.
 */
export async function bundled(more = {}, sources = []) {
  const folder = join(CACHE, keyOf([...SOURCES, ...sources]));
  if (!existsSync(folder)) await build(folder, { ...ENTRIES, ...more });
  const now = new Date();
  utimesSync(folder, now, now);
  return folder;
}

async function build(folder, entryPoints) {
  mkdirSync(CACHE, { recursive: true });
  sweep();
  const partial = `${folder}.${process.pid}`;
  await writeBundle(partial, entryPoints);
  try {
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // another process was quicker
  }
}

/** Bundles entry points into a folder, with the pages and the manifests. @param options esbuild's, for a bundle of another kind. */
export async function writeBundle(folder, entryPoints, options = {}) {
  const { build: esbuild } = await import("esbuild");
  const result = await esbuild({
    absWorkingDir: ROOT,
    entryPoints,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: true,
    logLevel: "error",
    ...options,
  });
  for (const page of ["page", "generate"]) {
    mkdirSync(join(folder, page));
    for (const { name, contents } of await pageFiles(page)) writeFileSync(join(folder, page, name), contents);
  }
  mkdirSync(join(folder, "base"));
  for (const name of readdirSync(join(ROOT, MANIFESTS)).filter((each) => each.endsWith(".yaml")))
    copyFileSync(join(ROOT, MANIFESTS, name), join(folder, "base", name));
  return result;
}

/** Of every source's path, size and time of change. */
function keyOf(folders) {
  const hash = createHash("sha256");
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true }).map((name) => join(folder, name)),
  );
  for (const file of ["package.json", ...files.filter((name) => /\.(ts|css|html|svg|yaml)$/.test(name)).sort()]) {
    const { size, mtimeMs } = statSync(join(ROOT, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

function sweep() {
  for (const name of readdirSync(CACHE)) {
    const age = Date.now() - statSync(join(CACHE, name)).mtimeMs;
    if (age > UNUSED_DAYS * 86_400_000) rmSync(join(CACHE, name), { recursive: true, force: true });
  }
}
