// What is wrong with a job, in words: one line for each mistake, with the field, its value and what would be right.

import type { z } from "zod";
import { nearestWord } from "../nearest-word.ts";
import { fieldNames, fieldType } from "./fields.ts";

const MOST_ISSUES = 5;
/** Fields whose value is for nobody's eyes. */
const SECRET = new Set(["spec.monitoring.token"]);

/** @param job the value that was refused, for the values at the paths. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], job: object): string {
  const lines = issues.flatMap((issue) => describeIssue(issue, job));
  const shown = lines.slice(0, MOST_ISSUES);
  if (lines.length > MOST_ISSUES) shown.push(`and ${lines.length - MOST_ISSUES} more`);
  return shown.join("\n  ");
}

function describeIssue(issue: z.core.$ZodIssue, job: object): string[] {
  const path = issue.path.join(".") || "the job";
  const input = valueAt(job, issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = fieldNames(issue.path);
    return issue.keys.map((key) => `${[...issue.path, key].join(".")} is no field of a job; ${suggestion(key, known)}`);
  }
  // The rules across fields name their value themselves.
  if (issue.code === "custom") return [`${path}: ${issue.message}`];
  const names = fieldNames(issue.path).join(", ");
  if (input === undefined) return [`${path} is missing; ${names ? `its fields are ${names}` : "give it a value"}`];
  const wanted = names ? `a group of the fields ${names}` : fieldType(issue.path);
  const value = SECRET.has(path) ? "(not shown)" : shorten(input);
  return [`${path} ${value}: ${problemOf(issue, wanted)}`];
}

function problemOf(issue: z.core.$ZodIssue, wanted: string | undefined): string {
  const ofWrongKind = ["invalid_type", "invalid_value", "invalid_union"].includes(issue.code);
  if (!ofWrongKind) return issue.message.replace(/^[^:]*: expected/, "expected");
  const listed = wanted?.includes("|") ? `one of ${wanted}` : wanted;
  return listed ? `expected ${listed}` : issue.message;
}

function valueAt(job: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], job);
}

const shorten = (input: unknown): string => {
  const text = JSON.stringify(input) ?? String(input);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
};

/** What a mistyped name may have been meant to be, or what there is. */
export function suggestion(key: string, known: readonly string[]): string {
  const nearest = nearestWord(key, known);
  return nearest ? `did you mean ${nearest}?` : `the fields here are ${known.join(", ")}`;
}
