// What an operator does: passes over jobs, and the calls that they cost.

import { collects, counter, gauge, histogram } from "../metric.ts";
import type { OperatorCounts, OperatorEvent } from "./source.ts";

const PASS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const OUTCOMES = ["done", "failed"];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

export const passes = collects<null, OperatorCounts, OperatorEvent>()(
  {
    seconds: histogram("plume_operator_reconcile_seconds", "One pass over a job.", PASS_SECONDS),
    passes: counter("plume_operator_reconciles_total", "Passes; one that failed is made again.", { outcome: OUTCOMES }),
    calls: counter("plume_operator_api_calls_total", "Calls of the API server, watches counted when they open.", {
      method: METHODS,
      outcome: ["ok", "refused", "failed"],
    }),
    watches: counter("plume_operator_watch_failures_total", "Lists and watches that failed and were begun again."),
    heard: counter(
      "plume_operator_watch_events_total",
      "Objects that watches and lists told of as new, changed or gone.",
    ),
    statuses: counter("plume_operator_status_writes_total", "Statuses of jobs written."),
    jobs: gauge("plume_operator_jobs", "DiffusionJobs that it sees."),
    queued: gauge("plume_operator_queue_depth", "Jobs that wait for a pass, or are in one."),
    leads: gauge("plume_operator_leader", "1 for the operator that acts, 0 for one that stands by."),
  },
  (m) => ({
    event(event) {
      switch (event.kind) {
        case "pass":
          m.seconds.observe(event.seconds);
          m.passes.add(1, { outcome: event.outcome });
          return;
        case "call":
          m.calls.add(1, { method: event.method, outcome: event.outcome });
          return;
        case "watch-failed":
          m.watches.add(1);
          return;
        case "heard":
          m.heard.add(1);
          return;
        case "status-written":
          m.statuses.add(1);
          return;
        default:
          event satisfies never;
      }
    },
    scrape({ jobs, queued, leads }) {
      m.jobs.set(jobs);
      m.queued.set(queued);
      m.leads.set(leads ? 1 : 0);
    },
  }),
);
