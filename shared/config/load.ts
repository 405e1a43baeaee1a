// From a YAML file to a resolved job: parse, override, validate. Every mistake is one line that names the field, the
// value and the remedy.

import { readFileSync } from "node:fs";
import { LineCounter, parseDocument, stringify } from "yaml";
import type { z } from "zod";
import { PlumeError } from "../errors.ts";
import { fieldNames } from "./fields.ts";
import { type Job, jobSchema } from "./schema.ts";

export interface LoadOptions {
  /** `path=value` pairs of --set; a path starts at spec, or names it: training.steps=10 or spec.training.steps=10. */
  readonly set: readonly string[];
}

/** @throws PlumeError NOT_FOUND or INVALID_ARGUMENT. */
export function loadJob(file: string, { set }: LoadOptions): Job {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new PlumeError("NOT_FOUND", `cannot read the job file ${file}: ${(cause as Error).message}`, {
      remedy: "name a YAML file with -f, for example deploy/jobs/shapes.yaml",
      cause,
    });
  }
  return parseJob(text, { file, set });
}

/** @param file for messages. */
export function parseJob(
  text: string,
  { file = "job", set = [] }: { file?: string; set?: readonly string[] } = {},
): Job {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw new PlumeError("INVALID_ARGUMENT", `${file}:${line}:${col}: ${problem.message}`, {
      remedy: "the job file must be valid YAML",
    });
  }
  const value: unknown = document.toJS();
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new PlumeError("INVALID_ARGUMENT", `${file} holds no job`, {
      remedy: "it must be a mapping with apiVersion, kind, metadata and spec",
    });
  for (const pair of set) applyOverride(value as Record<string, unknown>, pair);
  const parsed = jobSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PlumeError("INVALID_ARGUMENT", describeIssues(parsed.error.issues, file, value));
}

/** The resolved job as YAML: what job.yaml in a run's folder holds. */
export const dumpJob = (job: Job): string => stringify(job);

function applyOverride(job: Record<string, unknown>, pair: string): void {
  const equals = pair.indexOf("=");
  if (equals <= 0)
    throw new PlumeError("INVALID_ARGUMENT", `--set ${pair} is no path=value`, {
      remedy: "for example --set training.steps=500",
    });
  const path = pair.slice(0, equals).split(".");
  if (!["spec", "metadata", "apiVersion", "kind"].includes(path[0]!)) path.unshift("spec");
  const value: unknown = parseDocument(pair.slice(equals + 1)).toJS();
  let node = job;
  for (const key of path.slice(0, -1)) {
    node[key] ??= {};
    const next = node[key];
    if (typeof next !== "object" || next === null)
      throw new PlumeError("INVALID_ARGUMENT", `--set ${pair}: ${key} is no group of fields`);
    node = next as Record<string, unknown>;
  }
  node[path.at(-1)!] = value;
}

const MOST_ISSUES = 5;

function describeIssues(issues: readonly z.core.$ZodIssue[], file: string, job: object): string {
  const lines = issues.slice(0, MOST_ISSUES).map((issue) => describeIssue(issue, job));
  if (issues.length > MOST_ISSUES) lines.push(`and ${issues.length - MOST_ISSUES} more`);
  return `${file}: ${lines.join("\n  ")}`;
}

function describeIssue(issue: z.core.$ZodIssue, job: object): string {
  const path = issue.path.join(".") || "the job";
  const input = valueAt(job, issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = fieldNames(issue.path as (string | number)[]);
    return issue.keys
      .map((key) => `${[...issue.path, key].join(".")} is no field of a job; ${suggestion(key, known)}`)
      .join("\n  ");
  }
  if (issue.code === "invalid_type" && input === undefined) return `${path} is missing; give a ${issue.expected}`;
  // The rules across fields name their value themselves.
  if (issue.code === "custom") return `${path}: ${issue.message}`;
  return `${path} ${shorten(input)}: ${issue.message}`;
}

function valueAt(job: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], job);
}

const shorten = (input: unknown): string => {
  const text = JSON.stringify(input) ?? String(input);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
};

function suggestion(key: string, known: readonly string[]): string {
  const nearest = known
    .map((name) => ({ name, far: distance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)[0];
  if (nearest && nearest.far <= Math.max(2, key.length / 3)) return `did you mean ${nearest.name}?`;
  return `the fields here are ${known.join(", ")}`;
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
