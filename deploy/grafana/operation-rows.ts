// The run dashboard, what keeps it going: workers, data, network, checkpoints.

import type { Row } from "./panels.ts";
import { increase, maxBy, of, ofWorkers, perJob, quantile, rate, sumBy } from "./select.ts";

const elasticity: Row = {
  title: "Elasticity",
  panels: [
    {
      kind: "timeseries",
      title: "Workers",
      description: "By state, and what was asked for.",
      unit: "short",
      width: 12,
      min: 0,
      targets: [
        { expr: sumBy(of("plume_workers"), "state"), legend: "{{state}}" },
        { expr: maxBy(of("plume_workers_desired")), legend: "asked for" },
        { expr: maxBy(of("plume_desired_workers")), legend: "the job would like" },
        { expr: maxBy(of("plume_workers_min")), legend: "min" },
        { expr: maxBy(of("plume_workers_max")), legend: "max" },
      ],
    },
    {
      kind: "timeseries",
      title: "Time by state",
      description: "Share of the wall time.",
      unit: "percentunit",
      width: 12,
      min: 0,
      max: 1,
      stacked: true,
      targets: [{ expr: sumBy(rate(of("plume_time_seconds_total")), "state"), legend: "{{state}}" }],
    },
    {
      kind: "timeseries",
      title: "Membership",
      description: "What happened to workers.",
      unit: "short",
      width: 8,
      min: 0,
      targets: [{ expr: sumBy(increase(of("plume_membership_changes_total")), "change"), legend: "{{change}}" }],
    },
    {
      kind: "timeseries",
      title: "Recovery",
      description: "From a failure to the next new step.",
      unit: "s",
      width: 8,
      min: 0,
      targets: [0.5, 0.95].map((q) => ({
        expr: quantile(q, "plume_recovery_duration_seconds", "kind"),
        legend: `{{kind}} p${q * 100}`,
      })),
    },
    {
      kind: "timeseries",
      title: "Steps computed again",
      description: "Lost in a crash of the coordinator.",
      unit: "short",
      width: 8,
      min: 0,
      targets: [{ expr: sumBy(increase(of("plume_steps_total", 'result="discarded"'))), legend: "discarded" }],
    },
  ],
};

const data: Row = {
  title: "Data",
  panels: [
    {
      kind: "timeseries",
      title: "Epoch",
      description: "Epochs that are used up.",
      unit: "short",
      width: 8,
      min: 0,
      targets: [{ expr: maxBy(`${of("plume_epoch")} + ${of("plume_epoch_progress_ratio")}`), legend: "epoch" }],
    },
    {
      kind: "timeseries",
      title: "What became of samples",
      description:
        "committed: used. reassigned: another worker computed them. discarded: computed in vain. copied: twice on purpose.",
      unit: "cps",
      width: 8,
      min: 0,
      targets: [
        { expr: sumBy(rate(of("plume_samples_committed_total"))), legend: "committed" },
        { expr: sumBy(rate(of("plume_samples_reassigned_total"))), legend: "reassigned" },
        { expr: sumBy(rate(of("plume_samples_discarded_total"))), legend: "discarded" },
        { expr: sumBy(rate(of("plume_samples_copied_total")), "purpose"), legend: "copied: {{purpose}}" },
        { expr: sumBy(rate(of("plume_samples_duplicate_total"))), legend: "duplicate" },
      ],
    },
    {
      kind: "timeseries",
      title: "Time of workers by part",
      description: "Seconds a second, on blocks.",
      unit: "percentunit",
      width: 8,
      min: 0,
      stacked: true,
      targets: [{ expr: sumBy(rate(ofWorkers("plume_worker_phase_seconds_total")), "phase"), legend: "{{phase}}" }],
    },
  ],
};

const network: Row = {
  title: "Network",
  panels: [
    {
      kind: "timeseries",
      title: "Payload of the coordinator",
      description: "In: results. Out: parameters.",
      unit: "Bps",
      width: 8,
      min: 0,
      targets: [
        {
          expr: sumBy(rate(of("plume_wire_bytes_total")), "direction", "payload", "transport"),
          legend: "{{direction}} {{payload}} ({{transport}})",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Compression of gradients",
      description: "float32 bytes over bytes on the wire; 1 with training.wireDtype: float32.",
      unit: "short",
      width: 8,
      min: 0,
      targets: [
        {
          expr: perJob(
            sumBy(rate(of("plume_gradient_raw_bytes_total"))),
            sumBy(rate(of("plume_wire_bytes_total", 'payload="gradient"'))),
          ),
          legend: "ratio",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Payload of workers",
      description: "In: parameters. Out: results.",
      unit: "Bps",
      width: 8,
      min: 0,
      targets: [
        {
          expr: sumBy(rate(ofWorkers("plume_worker_wire_bytes_total")), "worker", "direction"),
          legend: "{{worker}} {{direction}}",
        },
      ],
    },
  ],
};

const checkpoints: Row = {
  title: "Checkpoints",
  panels: [
    {
      kind: "timeseries",
      title: "Duration",
      description: "From the beginning of a save to its manifest, in the background.",
      unit: "s",
      width: 8,
      min: 0,
      targets: [0.5, 0.95].map((q) => ({
        expr: quantile(q, "plume_checkpoint_duration_seconds"),
        legend: `p${q * 100}`,
      })),
    },
    {
      kind: "timeseries",
      title: "Training waits for saves",
      description: "Share of the time.",
      unit: "percentunit",
      width: 8,
      min: 0,
      targets: [{ expr: sumBy(rate(of("plume_checkpoint_stall_seconds_total"))), legend: "stall" }],
    },
    {
      kind: "timeseries",
      title: "Failures",
      description: "Saves that were given up, and calls of the store that were made again.",
      unit: "short",
      width: 8,
      min: 0,
      limit: { above: 2, alert: "PlumeCheckpointFailing" },
      targets: [
        { expr: sumBy(increase(of("plume_checkpoint_failures_total"))), legend: "failed" },
        { expr: sumBy(increase(of("plume_checkpoint_retries_total"))), legend: "tried again" },
      ],
    },
    {
      kind: "timeseries",
      title: "Age",
      description: "Since the newest checkpoint was whole.",
      unit: "s",
      width: 8,
      min: 0,
      targets: [{ expr: `time() - ${maxBy(of("plume_checkpoint_last_success_timestamp_seconds"))}`, legend: "age" }],
    },
    {
      kind: "timeseries",
      title: "Size",
      description: "Of the newest checkpoint, and of copies on their way.",
      unit: "bytes",
      width: 8,
      min: 0,
      targets: [
        { expr: maxBy(of("plume_checkpoint_bytes")), legend: "checkpoint" },
        { expr: maxBy(of("plume_checkpoint_buffer_bytes")), legend: "on their way" },
      ],
    },
    {
      kind: "timeseries",
      title: "Passed over",
      description: "Checkpoints that were not whole when the run was resumed.",
      unit: "short",
      width: 8,
      min: 0,
      limit: { above: 1e-9, alert: "PlumeCheckpointDamaged" },
      targets: [{ expr: maxBy(of("plume_checkpoint_verify_failures")), legend: "damaged" }],
    },
  ],
};

export const OPERATION_ROWS: readonly Row[] = [elasticity, data, network, checkpoints];
