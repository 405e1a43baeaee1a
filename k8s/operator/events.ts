// What a person is told of a job: by what has changed in its status. Pure, so that an operator that begins again tells nothing
// twice.

import type { DiffusionJobStatus } from "../crd/status.ts";
import { type Condition, conditionOf } from "./conditions.ts";
import type { JobEvent } from "./observed.ts";

/** Reasons of conditions that need somebody's help. */
const WARNINGS = new Set(["CheckpointFailed", "CoordinatorUnreachable", "NothingOutlivesPod"]);
/** Reasons for which steps are not being committed that are no trouble. */
const QUIET = new Set(["Paused", "Suspended", "Complete", "Failed", "Invalid"]);

export function eventsOf(before: DiffusionJobStatus | undefined, next: DiffusionJobStatus): JobEvent[] {
  const news = (next.conditions ?? []).flatMap((condition) => {
    const old = conditionOf(before?.conditions, condition.type);
    const changed = old?.status !== condition.status || old.reason !== condition.reason;
    return changed ? told(condition, old) : [];
  });
  const isFirst = before?.conditions === undefined && next.phase !== "Invalid";
  return isFirst ? [{ type: "Normal", reason: "Launched", message: "its objects are applied" }, ...news] : news;
}

function told({ type, status, reason, message }: Condition, old: Condition | undefined): JobEvent[] {
  const normal = (word: string) => [{ type: "Normal", reason: word, message } as const];
  const warning = (word: string) => [{ type: "Warning", reason: word, message } as const];
  const is = status === "True";
  switch (type) {
    case "Invalid":
      if (is) return warning("Invalid");
      return old?.status === "True" ? [{ type: "Normal", reason: "Valid", message }] : [];
    case "Failed":
      return is ? warning(reason === "Stopped" ? "Stopped" : "Failed") : [];
    case "Complete":
      return is ? normal("Complete") : [];
    case "Suspended":
      if (is) return normal("Suspended");
      if (reason === "Resumed") return old?.status === "True" ? normal("Resumed") : [];
      if (reason === "SavingCheckpoint") return normal("Suspending");
      return WARNINGS.has(reason) ? warning(reason) : [];
    case "Scaling":
      return is && old !== undefined ? normal("Scaling") : [];
    case "Progressing":
      return is || QUIET.has(reason) ? [] : warning(reason);
    case "Applied":
      return reason === "EditHeld" ? warning(reason) : [];
    case "CheckpointsWritten":
      if (reason === "CheckpointFailing") return warning(reason);
      return is && old?.reason === "CheckpointFailing" ? normal(type) : [];
    case "CoordinatorReady":
      return !is && reason === "Unreachable" ? warning("CoordinatorUnreachable") : [];
    default:
      return []; // WorkersReady: what is the matter is told of Progressing
  }
}
