// The workers as the coordinator sees them.

import { gauge } from "../metric.ts";
import { ofRun } from "./source.ts";

export const members = ofRun(
  {
    heartbeat: gauge("plume_worker_heartbeat_age_seconds", "Since a worker was last heard.", { worker: null }),
    queued: gauge("plume_worker_queued_micro_batches", "Micro-batches that a worker still has to compute.", {
      worker: null,
    }),
  },
  (m) => ({
    scrape({ status }) {
      m.heartbeat.clear();
      m.queued.clear();
      for (const { workerId, heartbeatAgeMs, queued } of status.members) {
        m.heartbeat.set(heartbeatAgeMs / 1000, { worker: workerId });
        m.queued.set(queued, { worker: workerId });
      }
    },
  }),
);
