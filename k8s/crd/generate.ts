// npm run gen:crd writes diffusionjobs.plume.dev.yaml; with --check it exits 1 when that is not what would be written.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { diffusionJobDefinition } from "./definition.ts";

const FILE = fileURLToPath(new URL("diffusionjobs.plume.dev.yaml", import.meta.url));
const HEAD = "# Generated from the job's schema (shared/config) and the status's (status.ts) by npm run gen:crd.\n";

function main(check: boolean): number {
  const text = HEAD + stringify(diffusionJobDefinition(), { lineWidth: 120, aliasDuplicateObjects: false });
  if (!check) writeFileSync(FILE, text);
  else if (readFileSync(FILE, "utf8") !== text) {
    process.stderr.write(`${FILE} is not what its source says; run npm run gen:crd\n`);
    return 1;
  }
  return 0;
}

process.exitCode = main(process.argv.includes("--check"));
