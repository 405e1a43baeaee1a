// What a person sees while a job trains: one line that renews itself on a terminal, a line now and then elsewhere.

import type { RunEvent, RunStatus } from "../../shared/bus/events.ts";

export interface ProgressLine {
  show(event: RunEvent): void;
  end(): void;
}

/** Seconds between lines when the output is no terminal. */
const QUIET_SECONDS = 10;

export function createProgressLine(output: NodeJS.WriteStream, now: () => number): ProgressLine {
  let status: RunStatus | null = null;
  let lastShown = Number.NEGATIVE_INFINITY;
  let open = false;

  const line = (text: string) => {
    if (open) output.write("\r\x1b[K");
    open = false;
    output.write(`${text}\n`);
  };
  const draw = (force: boolean) => {
    if (!status) return;
    const text = progressText(status);
    if (output.isTTY) {
      output.write(`\r\x1b[K${text.slice(0, (output.columns ?? 120) - 1)}`);
      open = true;
    } else if (force || now() - lastShown >= QUIET_SECONDS * 1000) {
      line(text);
      lastShown = now();
    }
  };

  return {
    show(event) {
      switch (event.kind) {
        case "status": {
          const changed = event.status.phase !== status?.phase;
          status = event.status;
          return draw(changed);
        }
        case "step":
        case "phase":
        case "command":
          return; // the status that follows carries it
        case "worker":
          return line(`  ${event.workerId} ${event.change}: ${event.reason}`);
        case "checkpoint":
          return line(
            `  checkpoint of step ${event.step} saved (${(event.bytes / 1e6).toFixed(1)} MB, ${event.seconds.toFixed(2)} s)`,
          );
        case "checkpoint-retry":
          return line(
            `  the checkpoint of step ${event.step} is tried again in ${event.afterSeconds.toFixed(1)} s: ${event.reason}`,
          );
        case "checkpoint-failed":
          return line(`  CHECKPOINT OF STEP ${event.step} FAILED: ${event.reason}`);
        case "sample":
          return line(`  sample grid of step ${event.step}: ${event.file}`);
        case "recovered": {
          const { kind, subject, seconds, step } = event.recovery;
          const who = kind === "coordinator" ? "the coordinator" : subject;
          return line(`  recovered from the loss of ${who} in ${seconds.toFixed(1)} s, step ${step} is committed`);
        }
        case "scale":
          return line(`  scaled from ${event.before} to ${event.replicas} workers`);
        case "warning":
          return line(`  WARNING: ${event.message}`);
        case "end":
          return; // the last status has said it
        default:
          event satisfies never;
      }
    },
    end() {
      if (open) output.write("\n");
      open = false;
    },
  };
}

function progressText(status: RunStatus): string {
  const { phase, reason, step, steps, loss, imagesPerSecond, etaSeconds, workers } = status;
  const percent = ((100 * step) / steps).toFixed(0).padStart(3);
  if (phase !== "Training") return `${phase}: ${reason} (step ${step}/${steps})`;
  const parts = [`step ${step}/${steps} ${percent}%`, `loss ${Number.isFinite(loss) ? loss.toFixed(4) : "-"}`];
  parts.push(
    `${imagesPerSecond.toFixed(0)} images/s`,
    `ETA ${duration(etaSeconds)}`,
    `${workers} worker${workers === 1 ? "" : "s"}`,
  );
  return parts.join("  ");
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds <= 0) return "-";
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, "0")}s`;
  return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}m`;
}
