// One kept event as a line for a person: when, what kind, what happened.

import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { when } from "../../shared/report/numbers.ts";
import { megabytes } from "./table.ts";

export function eventText({ atMs, event }: StampedEvent): string {
  return `${when(atMs)}  ${event.kind.padEnd(17)}  ${textOf(event)}`;
}

function textOf(event: StampedEvent["event"]): string {
  switch (event.kind) {
    case "phase":
      return `${event.phase} at step ${event.step}: ${event.reason}`;
    case "worker":
      return `${event.workerId} ${event.change}: ${event.reason}`;
    case "checkpoint":
      return `step ${event.step}, ${megabytes(event.bytes)} in ${event.seconds.toFixed(2)} s`;
    case "checkpoint-retry":
      return `step ${event.step} again in ${event.afterSeconds.toFixed(1)} s: ${event.reason}`;
    case "checkpoint-failed":
      return `step ${event.step}: ${event.reason}`;
    case "sample":
      return `step ${event.step}: ${event.file}`;
    case "recovered": {
      const { subject, reason, seconds, step } = event.recovery;
      return `${subject} after ${seconds.toFixed(1)} s, step ${step} is committed: ${reason}`;
    }
    case "scale":
      return `from ${event.before} to ${event.replicas} workers`;
    case "command":
      return `${event.verb} by ${event.by}: ${event.outcome}`;
    case "warning":
      return event.message;
    case "end":
      return `${event.outcome}: ${event.reason}`;
    default:
      return JSON.stringify(event satisfies never); // of a newer coordinator
  }
}
