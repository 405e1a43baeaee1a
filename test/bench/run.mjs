// node test/bench/run.mjs NAME [options] -- runs test/bench/NAME.ts from a bundle, as everything that `plume` starts
// runs: sources that are translated at every start are slower, and not only at the start.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { bundled } from "../../coordinator/cli/bundle.mjs";

const [name, ...args] = process.argv.slice(2);
const NAMES = [
  "step",
  "sample",
  "ops",
  "plane",
  "checkpoint",
  "metrics",
  "scale",
  "sizing",
  "wire",
  "simulate",
  "data",
  "watchers",
  "events",
  "operator",
  "plane-peer",
  "synthetic-worker",
];
const entries = Object.fromEntries(NAMES.map((each) => [`bench-${each}`, `test/bench/${each}.ts`]));
const folder = await bundled(entries, ["test/bench", "test/support"]);
const { status } = spawnSync(process.execPath, ["--enable-source-maps", join(folder, `bench-${name}.mjs`), ...args], {
  stdio: "inherit",
});
process.exit(status ?? 1);
