// What a worker has done, and how long it took.

import { counter, gauge } from "../metric.ts";
import { ofWorker, WORK_PARTS } from "./source.ts";

export const work = ofWorker(
  {
    connected: gauge("plume_worker_connected", "1 while the worker has a session and is ready in it."),
    sessions: counter("plume_worker_sessions_total", "Sessions in which this process was ready."),
    blocks: counter("plume_worker_blocks_total", "Blocks computed. dropped: the result was not needed any more.", {
      result: ["taken", "dropped"],
    }),
    microBatches: counter("plume_worker_micro_batches_total", "Micro-batches computed by this process."),
    seconds: counter(
      "plume_worker_phase_seconds_total",
      "Time on blocks: pull (parameters), data (waiting for samples), compute, push.",
      { phase: WORK_PARTS },
    ),
  },
  (m) => ({
    scrape({ connected, sessions, blocks, microBatches, seconds }) {
      m.connected.set(connected ? 1 : 0);
      m.sessions.total(sessions);
      m.blocks.total(blocks.taken, { result: "taken" });
      m.blocks.total(blocks.dropped, { result: "dropped" });
      m.microBatches.total(microBatches);
      for (const phase of WORK_PARTS) m.seconds.total(seconds[phase], { phase });
    },
  }),
);
