// The fleet dashboard: all jobs at a glance.

import type { Row } from "./panels.ts";
import { maxBy, of, perJob, rate, sumBy } from "./select.ts";

const ofAll = (metric: string, matchers = "") => of(metric, matchers);
const time = (matchers = "") => sumBy(rate(ofAll("plume_time_seconds_total", matchers)));
const each = "{{training_job}}";

export const FLEET_ROWS: readonly Row[] = [
  {
    title: "Jobs",
    panels: [
      {
        kind: "stat",
        title: "Jobs by phase",
        description: "How many jobs do what.",
        unit: "short",
        width: 12,
        targets: [
          {
            expr: `sum by (condition) (${maxBy(ofAll("plume_job_condition"), "condition")}) > 0`,
            legend: "{{condition}}",
          },
        ],
      },
      {
        kind: "stat",
        title: "Coordinators that answer",
        description: "1 for each that does.",
        unit: "short",
        width: 6,
        limit: { below: 1, alert: "PlumeCoordinatorDown" },
        targets: [{ expr: maxBy(ofAll("up", 'component="coordinator"')), legend: each }],
      },
      {
        kind: "stat",
        title: "Samples used twice",
        description: "Must stay 0.",
        unit: "short",
        width: 6,
        limit: { above: 1e-9, alert: "PlumeDuplicateSamples" },
        targets: [{ expr: maxBy(rate(ofAll("plume_samples_duplicate_total"))), legend: each }],
      },
      {
        kind: "timeseries",
        title: "Progress",
        description: "Share of each job's steps that is committed.",
        unit: "percentunit",
        width: 12,
        min: 0,
        max: 1,
        targets: [{ expr: maxBy(`${ofAll("plume_step")} / ${ofAll("plume_target_steps")}`), legend: each }],
      },
      {
        kind: "timeseries",
        title: "Time left",
        description: "At the present speed.",
        unit: "s",
        width: 12,
        min: 0,
        targets: [{ expr: maxBy(ofAll("plume_eta_seconds")), legend: each }],
      },
    ],
  },
  {
    title: "Work",
    panels: [
      {
        kind: "timeseries",
        title: "Throughput",
        description: "Samples of committed steps.",
        unit: "cps",
        width: 12,
        min: 0,
        stacked: true,
        targets: [{ expr: sumBy(rate(ofAll("plume_samples_committed_total"))), legend: each }],
      },
      {
        kind: "timeseries",
        title: "Goodput",
        description: "Share of the time, pauses aside, that went into steps which were not committed before.",
        unit: "percentunit",
        width: 12,
        min: 0,
        max: 1,
        limit: { below: 0.8, alert: "PlumeLowGoodput" },
        targets: [{ expr: perJob(time('state="productive"'), `(${time('state!="paused"')} > 0)`), legend: each }],
      },
      {
        kind: "timeseries",
        title: "Workers ready",
        description: "Members that may hold work.",
        unit: "short",
        width: 12,
        min: 0,
        stacked: true,
        targets: [{ expr: sumBy(ofAll("plume_workers", 'state="ready"')), legend: each }],
      },
      {
        kind: "timeseries",
        title: "Loss",
        description: "Of each job's newest step.",
        unit: "short",
        width: 12,
        targets: [{ expr: maxBy(ofAll("plume_loss")), legend: each }],
      },
      {
        kind: "timeseries",
        title: "Checkpoint age",
        description: "Since each job's newest checkpoint was whole.",
        unit: "s",
        width: 12,
        min: 0,
        targets: [
          { expr: `time() - ${maxBy(ofAll("plume_checkpoint_last_success_timestamp_seconds"))}`, legend: each },
        ],
      },
      {
        kind: "timeseries",
        title: "Workers lost",
        description: "Their sessions broke, or they were expelled.",
        unit: "cps",
        width: 12,
        min: 0,
        targets: [
          {
            expr: sumBy(rate(ofAll("plume_membership_changes_total", 'change=~"lost|expelled"'))),
            legend: each,
          },
        ],
      },
    ],
  },
];
