// From a YAML file to a resolved job: parse, override, validate. Every mistake is one line that names the field, the
// value and the remedy.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LineCounter, parseDocument, stringify } from "yaml";
import { PlumeError } from "../errors.ts";
import { describeIssues } from "./messages.ts";
import { applyOverride } from "./override.ts";
import { type Job, jobSchema } from "./schema.ts";

export interface LoadOptions {
  /** `path=value` pairs of --set; a path starts at spec, or names it: training.steps=10 or spec.training.steps=10. */
  readonly set: readonly string[];
}

export interface JobAndToken {
  readonly job: Job;
  /** monitoring.token; null when the file has none. */
  readonly token: string | null;
}

/**
 * The job without its token, which must be nowhere that a job is: job.yaml, checkpoints, what workers get, logs.
 * @throws PlumeError NOT_FOUND or INVALID_ARGUMENT.
 */
export const loadJob = (file: string, options: LoadOptions): Job => loadJobAndToken(file, options).job;

/** What a run's folder says of the run that is there; null where none was begun. */
export function loadBegun(out: string): Job | null {
  const file = join(out, "job.yaml");
  return existsSync(file) ? loadJob(file, { set: [] }) : null;
}

/** For whoever serves the page: the token beside the job. @throws PlumeError NOT_FOUND or INVALID_ARGUMENT. */
export function loadJobAndToken(file: string, { set }: LoadOptions): JobAndToken {
  return apart(parse(readText(file), file, set));
}

function apart(job: Job): JobAndToken {
  const { token, ...monitoring } = job.spec.monitoring;
  return { job: { ...job, spec: { ...job.spec, monitoring } }, token: token ?? null };
}

/** What a file must hold, for messages. */
interface FileOf {
  readonly what: string;
  /** Where it cannot be read. */
  readonly remedy: string;
}

const JOB_FILE: FileOf = { what: "job", remedy: "name a YAML file with -f, for example deploy/jobs/shapes.yaml" };

function readText(file: string, { what, remedy }: FileOf = JOB_FILE): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new PlumeError("NOT_FOUND", `cannot read the ${what} file ${file}: ${(cause as Error).message}`, {
      remedy,
      cause,
    });
  }
}

/** A file's YAML, of which nothing is known but that it is a mapping. @throws PlumeError NOT_FOUND or INVALID_ARGUMENT. */
export const readMapping = (file: string, of: FileOf = JOB_FILE): Record<string, unknown> =>
  mapping(readText(file, of), file, of.what);

/** @param file for messages. */
export function parseJob(
  text: string,
  { file = "job", set = [] }: { file?: string; set?: readonly string[] } = {},
): Job {
  return apart(parse(text, file, set)).job;
}

function parse(text: string, file: string, set: readonly string[]): Job {
  const value = mapping(text, file, "job");
  if (value.kind === "DiffusionPipeline")
    throw new PlumeError("INVALID_ARGUMENT", `${file} is a pipeline of jobs, not a job`, {
      remedy: `plume pipeline run -f ${file} runs its stages`,
    });
  for (const pair of set) applyOverride(value, pair);
  return check(value, file);
}

function mapping(text: string, file: string, what: string): Record<string, unknown> {
  const value = parseYaml(text, file);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new PlumeError("INVALID_ARGUMENT", `${file} holds no ${what}`, {
    remedy: "it must be a mapping with apiVersion, kind, metadata and spec",
  });
}

/**
 * A job from elsewhere than a file, defaults filled in and without its token.
 * @param from for messages. @throws PlumeError INVALID_ARGUMENT.
 */
export const checkJob = (value: object, from: string): Job => apart(check(value, from)).job;

function check(value: object, from: string): Job {
  const parsed = jobSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PlumeError("INVALID_ARGUMENT", `${from}: ${describeIssues(parsed.error.issues, value)}`, {
    remedy: "the README has a table of all fields, with types and defaults",
  });
}

function parseYaml(text: string, file: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const remedy = "the job file must be one document of valid YAML";
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw new PlumeError("INVALID_ARGUMENT", `${file}:${line}:${col}: ${problem.message}`, { remedy });
  }
  try {
    return document.toJS();
  } catch (cause) {
    // An alias of nothing, or of so much that it must be an attack.
    throw new PlumeError("INVALID_ARGUMENT", `${file}: ${(cause as Error).message}`, { remedy, cause });
  }
}

/** The resolved job as YAML: what job.yaml in a run's folder holds. */
export const dumpJob = (job: Job): string => stringify(job);
