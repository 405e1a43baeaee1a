// What plume's subjects, streams and buckets are called. A job's name is lower-case letters, digits and '-', so it is one
// token of a subject and a legal name of a stream.

import type { RunEvent } from "../bus/events.ts";

/** The kinds of events that a subscriber may choose from. */
export const CATEGORIES = [
  "lifecycle",
  "membership",
  "scale",
  "checkpoint",
  "sample",
  "failure",
  "recovery",
  "command",
] as const;
export type Category = (typeof CATEGORIES)[number];

export const commandSubject = (job: string, verb: string): string => `plume.${job}.cmd.${verb}`;
export const eventSubject = (job: string, category: Category | ">"): string => `plume.${job}.event.${category}`;
export const eventStream = (job: string): string => `plume-events-${job}`;

/** One bucket for all jobs of a server, with one key a job. */
export const STATUS_BUCKET = "plume-status";

const FAILURES: readonly string[] = ["lost", "expelled", "refused", "suspect"];

export function categoryOf(event: RunEvent): Category {
  switch (event.kind) {
    case "worker":
      return FAILURES.includes(event.change) ? "failure" : "membership";
    case "scale":
    case "checkpoint":
    case "sample":
    case "command":
      return event.kind;
    case "checkpoint-retry":
    case "checkpoint-failed":
    case "warning":
      return "failure";
    case "recovered":
      return "recovery";
    case "end":
    case "phase":
    case "status":
    case "step":
      return "lifecycle";
    default:
      return event satisfies never;
  }
}

/**
 * What a message of the stream is known by. Ids of events begin again with each run's folder, so the run is in it.
 * @param run what tells this run from others of the same job: when its first event was.
 */
export const messageId = (job: string, run: number, id: string): string => `${job}/${run}/${id}`;

/** @returns null when it is no message of a run of this job. */
export function parseMessageId(job: string, text: string): { readonly run: number; readonly id: string } | null {
  const [name, run, id, ...rest] = text.split("/");
  if (name !== job || !run || !/^\d+$/.test(run) || !id || rest.length > 0) return null;
  return { run: Number(run), id };
}
