// `--set path=value`: one field of a job from the command line. What it sets wins over the file.

import { parseDocument } from "yaml";
import { PlumeError } from "../errors.ts";
import { fieldType } from "./fields.ts";

export const JOB_ROOTS = ["spec", "metadata", "apiVersion", "kind"];

/**
 * Changes `job` in place. A path starts at spec or names its root: training.steps=10, metadata.name=try. The value is
 * YAML, save for a field of text, which takes it as it is. @throws PlumeError INVALID_ARGUMENT.
 */
export function applyOverride(job: Record<string, unknown>, pair: string): void {
  const equals = pair.indexOf("=");
  const path = pair.slice(0, Math.max(0, equals)).split(".");
  if (path.some((key) => key === "" || key === "__proto__"))
    throw new PlumeError("INVALID_ARGUMENT", `--set ${pair} is no path=value`, {
      remedy: "for example --set training.steps=500",
    });
  if (!JOB_ROOTS.includes(path[0]!)) path.unshift("spec");
  let node = job;
  for (const key of path.slice(0, -1)) {
    if (!Object.hasOwn(node, key)) node[key] = {};
    const next = node[key];
    if (typeof next !== "object" || next === null || Array.isArray(next))
      throw new PlumeError("INVALID_ARGUMENT", `--set ${pair}: ${key} is no group of fields`, {
        remedy: "plume train --help says where the fields are listed",
      });
    node = next as Record<string, unknown>;
  }
  node[path.at(-1)!] = valueFor(pair, path, pair.slice(equals + 1));
}

function valueFor(pair: string, path: readonly string[], text: string): unknown {
  if (fieldType(path) === "string") return text;
  const document = parseDocument(text, { prettyErrors: false });
  const [problem] = document.errors;
  if (problem)
    throw new PlumeError("INVALID_ARGUMENT", `--set ${pair}: ${problem.message}`, {
      remedy: "a list is written [1,2], in quotes where the shell minds",
    });
  return document.toJS();
}
