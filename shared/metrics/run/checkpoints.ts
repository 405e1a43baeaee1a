// Saves to the job's store, and what training waited for them.

import { counter, gauge, histogram, LONG_SECONDS } from "../metric.ts";
import { ofRun } from "./source.ts";

export const checkpoints = ofRun(
  {
    duration: histogram(
      "plume_checkpoint_duration_seconds",
      "From the beginning of a save to its manifest, in the background.",
      LONG_SECONDS,
    ),
    stall: counter(
      "plume_checkpoint_stall_seconds_total",
      "That training waited for checkpoints and snapshots, since this process began.",
    ),
    bytes: gauge("plume_checkpoint_bytes", "Size of the newest checkpoint of this process."),
    succeeded: gauge(
      "plume_checkpoint_last_success_timestamp_seconds",
      "When the newest checkpoint of this process was whole; none before the first.",
    ),
    step: gauge("plume_checkpoint_last_step", "Step of the newest checkpoint; the first step of the run before it."),
    interval: gauge("plume_checkpoint_interval_steps", "Steps between checkpoints that the job asks for."),
    failures: counter("plume_checkpoint_failures_total", "Saves that were given up."),
    retries: counter("plume_checkpoint_retries_total", "Calls of the store that were made again."),
    unverified: gauge(
      "plume_checkpoint_verify_failures",
      "Checkpoints that were not whole when the run was resumed, and were passed over.",
    ),
    buffered: gauge("plume_checkpoint_buffer_bytes", "Copies on their way to the store; at most checkpoint.bufferMiB."),
  },
  (m, { spec, epochMs }) => {
    m.interval.set(spec.checkpoint.everySteps);
    let before: number | null = null;
    let first: number | null = null;
    return {
      event(event) {
        if (event.kind === "checkpoint-failed") m.failures.add(1);
        if (event.kind === "checkpoint-retry") m.retries.add(1);
        if (event.kind !== "checkpoint") return;
        m.duration.observe(event.seconds);
        m.bytes.set(event.bytes);
        m.succeeded.set(epochMs() / 1000);
      },
      scrape({ status, facts }) {
        before ??= status.saves.stallSeconds;
        first ??= status.step;
        m.stall.total(status.saves.stallSeconds - before);
        m.unverified.set(status.saves.passedOver);
        m.step.set(facts.checkpointStep ?? first);
        m.buffered.set(facts.saveBufferBytes);
      },
    };
  },
);
