// Who takes part, who came and went, and what it cost.

import { isOver, WORKER_CHANGES } from "../../bus/events.ts";
import { counter, gauge, histogram, LONG_SECONDS } from "../metric.ts";
import { ofRun } from "./source.ts";

const STATES = ["ready", "joining", "leaving", "suspect"] as const;

export const elasticity = ofRun(
  {
    workers: gauge("plume_workers", "Members by state; a suspect one is counted as that alone.", { state: STATES }),
    desired: gauge("plume_workers_desired", "Workers asked for."),
    wished: gauge(
      "plume_desired_workers",
      "Workers that the job would like, by its workers.autoscale: for an autoscaler, or a person. Without one what was asked for; held while the job does not train.",
    ),
    least: gauge(
      "plume_least_eta_seconds",
      "Time left at the best number of workers within the bounds; none without workers.autoscale, before a size is measured, and after the end.",
    ),
    deadline: gauge(
      "plume_deadline_timestamp_seconds",
      "When the last step should be done (workers.autoscale.deadline); none without one.",
    ),
    min: gauge("plume_workers_min", "Below so many the job waits."),
    max: gauge("plume_workers_max", "Most that are let in."),
    changes: counter("plume_membership_changes_total", "What happened to workers.", { change: WORKER_CHANGES }),
    changed: gauge("plume_last_membership_change_timestamp_seconds", "When a worker last joined, left or was lost."),
    scaled: gauge("plume_last_scale_timestamp_seconds", "When another number of workers was last asked for."),
    recovery: histogram(
      "plume_recovery_duration_seconds",
      "From a failure to the next committed step that was not committed before.",
      LONG_SECONDS,
      { kind: ["worker", "coordinator"] },
    ),
  },
  (m, { spec, epochMs }) => ({
    event(event) {
      if (event.kind === "recovered") m.recovery.observe(event.recovery.seconds, { kind: event.recovery.kind });
      if (event.kind === "scale") m.scaled.set(epochMs() / 1000);
      if (event.kind !== "worker") return;
      m.changes.add(1, { change: event.change });
      if (["joined", "left", "lost", "expelled"].includes(event.change)) m.changed.set(epochMs() / 1000);
    },
    scrape({ status }) {
      const states = status.members.map(({ phase, suspect }) => (suspect === "" ? phase : "suspect"));
      for (const state of STATES) m.workers.set(states.filter((each) => each === state).length, { state });
      m.desired.set(status.desired);
      const { workers: wished = status.desired, leastSeconds = null } = status.wish ?? {};
      m.wished.set(wished);
      m.least.set(isOver(status.phase) ? null : leastSeconds);
      const { deadline } = spec.workers.autoscale;
      m.deadline.set(deadline === undefined ? null : Date.parse(deadline) / 1000);
      m.min.set(status.min);
      m.max.set(status.max);
    },
  }),
);
