// A kept event in words, and how it is to be taken.

import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { bytes, count, duration } from "./format.ts";

export const KINDS = {
  workers: "workers",
  checkpoints: "checkpoints",
  samples: "samples",
  phases: "phases",
  commands: "commands",
  warnings: "warnings",
} as const;
export type Kind = keyof typeof KINDS;

export interface Told {
  readonly kind: Kind;
  readonly title: string;
  readonly words: string;
  readonly tone: "" | "good" | "warn" | "bad";
}

export function told({ event }: StampedEvent): Told {
  const as = (kind: Kind, title: string, words: string, tone: Told["tone"] = ""): Told => ({
    kind,
    title,
    words,
    tone,
  });
  switch (event.kind) {
    case "worker": {
      const tone = {
        joined: "good",
        well: "good",
        left: "",
        suspect: "warn",
        lost: "bad",
        expelled: "bad",
        refused: "bad",
      } as const;
      return as("workers", `${event.workerId} ${event.change}`, event.reason, tone[event.change]);
    }
    case "scale":
      return as("workers", "scaled", `from ${event.before} to ${event.replicas} workers`);
    case "recovered": {
      const { subject, seconds, step, reason } = event.recovery;
      return as(
        "workers",
        "recovered",
        `${subject} (${reason}): ${duration(seconds)} until step ${count(step)} was committed`,
        "good",
      );
    }
    case "checkpoint":
      return as(
        "checkpoints",
        "checkpoint",
        `step ${count(event.step)}, ${bytes(event.bytes)} in ${duration(event.seconds)}`,
      );
    case "checkpoint-retry":
      return as(
        "checkpoints",
        "checkpoint",
        `step ${count(event.step)} is tried again in ${duration(event.afterSeconds)}: ${event.reason}`,
        "warn",
      );
    case "checkpoint-failed":
      return as("checkpoints", "checkpoint failed", `step ${count(event.step)}: ${event.reason}`, "bad");
    case "sample":
      return as("samples", "samples", `step ${count(event.step)}`);
    case "phase":
      return as("phases", event.phase, event.reason);
    case "command":
      return as("commands", event.verb, `by ${event.by}: ${event.outcome}`, event.outcome === "done" ? "" : "warn");
    case "warning":
      return as("warnings", "warning", event.message, "warn");
    case "end":
      return as("phases", event.outcome, event.reason, event.outcome === "failed" ? "bad" : "good");
  }
}
