// npm run test:golden: the golden vectors against plume's own code. GOLDENS_DIR names another folder of the same
// format, GOLDEN_FAMILIES=a,b restricts the families. Exits 1 on any failure.

import { testBackend } from "../support/backend.ts";
import { judge } from "./compare.ts";
import { FAMILIES } from "./families/index.ts";
import { loadFamily } from "./load.ts";

await testBackend();
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
console.log(`golden: ${cases - failures.length} of ${cases} passed`);
for (const failure of failures) console.log(`  ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
