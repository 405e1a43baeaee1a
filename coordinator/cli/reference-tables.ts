// The README's generated tables: the job's fields from its schema, the error codes and the metrics from their tables. `--write` renews what
// stands between the markers, `--check` exits 1 when it is not what would be written. `--readme FILE` for another file.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fieldRows } from "../../shared/config/fields.ts";
import { describeError, ERROR_CODES, PlumeError } from "../../shared/errors.ts";
import type { Metric } from "../../shared/metrics/metric.ts";
import { METRICS } from "../../shared/metrics/table.ts";
import { asset } from "../../shared/root.ts";

/** What stands between `<!-- generated:NAME -->` and `<!-- /generated -->`. */
const TABLES: Readonly<Record<string, () => string>> = {
  job: () =>
    markdownTable(
      ["field of `spec`", "type", "default", "meaning"],
      fieldRows().map(({ path, type, default: fallback, meaning }) => [code(path), type, code(fallback), meaning]),
    ),
  metrics: () =>
    markdownTable(
      ["metric", "of the", "type", "labels", "meaning"],
      METRICS.map(({ name, by, kind, labels, help }) => [code(name), by, kind, labelsOf(labels), help]),
    ),
  errors: () =>
    markdownTable(
      ["code", "exit", "gRPC status", "meaning", "its message names"],
      Object.entries(ERROR_CODES).map(([name, { exit, grpc, meaning, says }]) => [
        code(name),
        `${exit}`,
        `${grpc}`,
        meaning,
        says,
      ]),
    ),
};

/** Their values where those are few. */
const labelsOf = (labels: Metric["labels"]): string =>
  Object.entries(labels)
    .map(([label, values]) => `${code(label)}${values ? `: ${values.join(", ")}` : ""}`)
    .join("; ");

const code = (text: string): string => (text === "" || text === "required" ? text : `\`${text}\``);

const escaped = (cell: string): string => cell.replaceAll("|", "\\|").replaceAll("<", "&lt;");

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => escaped(cell)).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** @returns the text with every table renewed. @throws PlumeError NOT_FOUND naming a pair of markers it lacks. */
function renew(file: string, text: string): string {
  return Object.entries(TABLES).reduce((renewed, [name, table]) => {
    const open = `<!-- generated:${name} -->`;
    const close = "<!-- /generated -->";
    const start = renewed.indexOf(open);
    const end = start < 0 ? -1 : renewed.indexOf(close, start);
    if (end < 0)
      throw new PlumeError("NOT_FOUND", `${file} has no place for the table "${name}"`, {
        remedy: `write ${open} and ${close} on lines of their own where it belongs`,
      });
    return `${renewed.slice(0, start + open.length)}\n\n${table()}\n\n${renewed.slice(end)}`;
  }, text);
}

function main(): number {
  const { values } = parseArgs({
    options: { write: { type: "boolean" }, check: { type: "boolean" }, readme: { type: "string" } },
  });
  const file = values.readme ?? fileURLToPath(asset("README.md"));
  if (values.write === values.check)
    throw new PlumeError("INVALID_ARGUMENT", "say --write or --check", { remedy: "npm run gen:readme writes" });
  if (!existsSync(file))
    throw new PlumeError("NOT_FOUND", `${file} does not exist`, {
      remedy: "write it, with the markers of both tables",
    });
  const text = readFileSync(file, "utf8");
  const renewed = renew(file, text);
  if (values.write) writeFileSync(file, renewed);
  else if (renewed !== text) {
    process.stderr.write(`${file}: its tables are not those of the code; run npm run gen:readme\n`);
    return 1;
  }
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`reference-tables: ${describeError(error)}\n`);
  process.exitCode = error instanceof PlumeError ? error.exitCode : 1;
}
