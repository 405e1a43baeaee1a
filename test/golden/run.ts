// npm run test:golden: the golden vectors against plume's own code. GOLDENS_DIR names another folder of the same
// format, GOLDEN_FAMILIES=a,b restricts the families, GOLDEN_BACKEND names another backend than wasm. Exits 1 on any failure.

import type { BackendName } from "../../shared/backends/backend.ts";
import { BACKENDS, openBackend } from "../../shared/backends/index.ts";
import { judge } from "./compare.ts";
import { FAMILIES } from "./families/index.ts";
import { loadFamily } from "./load.ts";

const { GOLDEN_BACKEND: backend = "wasm" } = process.env;
if (!(backend in BACKENDS)) {
  console.error(`GOLDEN_BACKEND ${backend} is none; use one of ${Object.keys(BACKENDS).join(", ")}`);
  process.exit(2);
}
await openBackend(backend as BackendName);
const asked = process.env.GOLDEN_FAMILIES?.split(",")
  .map((name) => name.trim())
  .filter(Boolean);
const failures: string[] = [];
let cases = 0;
for (const name of asked ?? Object.keys(FAMILIES)) {
  const started = performance.now();
  const family = FAMILIES[name];
  const goldens = loadFamily(name);
  if (!goldens) {
    if (!asked) continue;
    failures.push(`${name}: no such file`);
    cases++;
    continue;
  }
  let passed = 0;
  for (const golden of goldens) {
    cases++;
    const verdict = family ? await judge(family, golden) : { ok: false, message: "this family has no adapter" };
    if (verdict.ok) passed++;
    else failures.push(`${name}/${golden.name}: ${verdict.message}`);
  }
  console.log(
    `${name.padEnd(24)} ${passed} of ${goldens.length}  (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  );
}
console.log(`golden on ${backend}: ${cases - failures.length} of ${cases} passed`);
for (const failure of failures) console.log(`  ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
