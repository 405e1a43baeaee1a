// npm run gen:crd writes the definitions' files; with --check it exits 1 when one is not what would be written.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { diffusionJobDefinition } from "./definition.ts";
import { diffusionPipelineDefinition } from "./pipeline-definition.ts";

const generatedFrom = (schema: string, status: string) =>
  `# Generated from the ${schema} and the status's (${status}) by npm run gen:crd.\n`;

const DEFINITIONS = [
  { head: generatedFrom("job's schema (shared/config)", "status.ts"), definition: diffusionJobDefinition() },
  {
    head: generatedFrom("pipeline's schema (shared/stages)", "pipeline-status.ts"),
    definition: diffusionPipelineDefinition(),
  },
];

/** @returns whether the file is what its source says. */
function settle({ head, definition }: (typeof DEFINITIONS)[number], check: boolean): boolean {
  const file = fileURLToPath(new URL(`${definition.metadata.name}.yaml`, import.meta.url));
  const text = head + stringify(definition, { lineWidth: 120, aliasDuplicateObjects: false });
  if (!check) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    process.stderr.write(`${file} is not what its source says; run npm run gen:crd\n`);
    return false;
  }
  return true;
}

const check = process.argv.includes("--check");
process.exitCode = DEFINITIONS.filter((each) => !settle(each, check)).length > 0 ? 1 : 0;
