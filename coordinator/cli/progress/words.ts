// Events and numbers in words.

import type { RunEvent, RunStatus, WorkerChange } from "../../../shared/bus/events.ts";
import { counted } from "../../../shared/counted.ts";
import { megabytes } from "../table.ts";
import { plain } from "./columns.ts";
import type { Tone } from "./style.ts";

const TONES = {
  joined: "good",
  left: "plain",
  lost: "warn",
  expelled: "warn",
  refused: "warn",
  suspect: "warn",
  well: "good",
} as const satisfies Record<WorkerChange, Tone>;

/** What is worth a line of its own; null for what the newest status says. */
export function eventWords(event: RunEvent): { readonly text: string; readonly tone: Tone } | null {
  const said = words(event);
  return said && { text: `  ${plain(said[0])}`, tone: said[1] };
}

function words(event: RunEvent): readonly [string, Tone] | null {
  switch (event.kind) {
    case "status":
    case "step":
    case "phase":
    case "end":
      return null;
    case "command":
      return event.outcome === "done" ? null : [`${event.verb} (by ${event.by}) refused: ${event.outcome}`, "warn"];
    case "worker":
      return [`${event.workerId} ${event.change}: ${event.reason}`, TONES[event.change]];
    case "checkpoint": {
      const { step, bytes, seconds } = event;
      return [`checkpoint of step ${step} saved (${megabytes(bytes)}, ${seconds.toFixed(2)} s)`, "plain"];
    }
    case "checkpoint-retry": {
      const { step, afterSeconds, reason } = event;
      return [`the checkpoint of step ${step} is tried again in ${afterSeconds.toFixed(1)} s: ${reason}`, "warn"];
    }
    case "checkpoint-failed":
      return [`CHECKPOINT OF STEP ${event.step} FAILED: ${event.reason}`, "bad"];
    case "sample":
      return [`sample grid of step ${event.step}: ${event.file}`, "plain"];
    case "recovered": {
      const { kind, subject, seconds, step } = event.recovery;
      const who = kind === "coordinator" ? "the coordinator" : subject;
      return [`recovered from the loss of ${who} in ${seconds.toFixed(1)} s, step ${step} is committed`, "good"];
    }
    case "scale":
      return [`scaled from ${event.before} to ${event.replicas} workers`, "plain"];
    case "warning":
      return [`WARNING: ${event.message}`, "warn"];
    default:
      event satisfies never;
      return null;
  }
}

/** A status as one line. */
export function statusWords({
  phase,
  reason,
  step,
  steps,
  loss,
  imagesPerSecond,
  etaSeconds,
  workers,
}: RunStatus): string {
  if (phase !== "Training") return plain(`${phase}: ${reason} (step ${step}/${steps})`);
  const parts = [`step ${step}/${steps} ${percent(step, steps)}`, `loss ${lossWords(loss)}`];
  parts.push(`${speedWords(imagesPerSecond)} images/s`, `ETA ${duration(etaSeconds)}`);
  parts.push(counted(workers, "worker"));
  return parts.join("  ");
}

export const percent = (step: number, steps: number): string =>
  `${(steps > 0 ? (100 * step) / steps : 0).toFixed(0).padStart(3)}%`;

/** NaN before the first step; null where it came through JSON. */
export const lossWords = (loss: number | null): string =>
  loss !== null && Number.isFinite(loss) ? loss.toFixed(4) : "-";

export const speedWords = (imagesPerSecond: number): string =>
  imagesPerSecond.toFixed(imagesPerSecond > 0 && imagesPerSecond < 10 ? 1 : 0);

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds <= 0) return "-";
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, "0")}s`;
  return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}m`;
}
