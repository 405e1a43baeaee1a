// Rows for the table of dependencies in CONTRIBUTING.md: node test/support/dependencies.mjs NAME... prints what can be
// measured; the reason is yours. Size: the package with all that it brings, as installed here, in MB.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Its folder and those of everything it needs. */
function closure(name, found = new Map(), from = modules) {
  const nested = join(from, "node_modules", name);
  const folder = existsSync(nested) ? nested : join(modules, name);
  if (found.has(folder) || !existsSync(folder)) return found;
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  found.set(folder, about);
  for (const each of Object.keys({ ...about.dependencies, ...about.optionalDependencies }))
    closure(each, found, folder);
  return found;
}

/** Bytes of a folder, without the packages inside it: they are found on their own. */
const bytesOf = (folder) =>
  readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? sum : sum + bytesOf(path);
    return sum + statSync(path).size;
  }, 0);

function released(name, version) {
  const times = JSON.parse(execFileSync("npm", ["view", name, "time", "--json"], { encoding: "utf8" }));
  return String(times[version]).slice(0, 7);
}

for (const name of process.argv.slice(2)) {
  const packages = closure(name);
  const { version, license } = packages.values().next().value;
  const megabytes = [...packages.keys()].reduce((sum, folder) => sum + bytesOf(folder), 0) / 1e6;
  console.log(`| \`${name}\` | REASON | ${megabytes.toFixed(1)} | ${released(name, version)} | ${license} |`);
}
