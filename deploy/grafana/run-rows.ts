// The run dashboard: what one looks at while a job trains.

import type { Row } from "./panels.ts";
import { increase, maxBy, of, ofWorkers, perJob, quantile, rate, sumBy } from "./select.ts";

const timeBy = (matchers = "") => sumBy(rate(of("plume_time_seconds_total", matchers)));

const overview: Row = {
  title: "Overview",
  panels: [
    {
      kind: "stat",
      title: "Phase",
      description: "What the job is doing.",
      unit: "short",
      width: 4,
      names: true,
      targets: [{ expr: `${maxBy(of("plume_job_condition"), "condition")} == 1`, legend: "{{condition}}" }],
    },
    {
      kind: "stat",
      title: "Step",
      description: "Committed steps.",
      unit: "short",
      width: 3,
      decimals: 0,
      targets: [{ expr: maxBy(of("plume_step")), legend: "step" }],
    },
    {
      kind: "stat",
      title: "Time left",
      description: "At the present speed.",
      unit: "s",
      width: 3,
      targets: [{ expr: maxBy(of("plume_eta_seconds")), legend: "left" }],
    },
    {
      kind: "stat",
      title: "Goodput",
      description: "Share of the time, pauses aside, that went into steps which were not committed before.",
      unit: "percentunit",
      width: 3,
      min: 0,
      max: 1,
      limit: { below: 0.8, alert: "PlumeLowGoodput" },
      targets: [
        { expr: perJob(timeBy('state="productive"'), `(${timeBy('state!="paused"')} > 0)`), legend: "goodput" },
      ],
    },
    {
      kind: "stat",
      title: "Workers ready of desired",
      description: "Members that may hold work, over the number asked for.",
      unit: "percentunit",
      width: 3,
      min: 0,
      limit: { below: 1, alert: "PlumeWorkersBelowDesired" },
      targets: [
        {
          expr: perJob(sumBy(of("plume_workers", 'state="ready"')), maxBy(of("plume_workers_desired"))),
          legend: "ready",
        },
      ],
    },
    {
      kind: "stat",
      title: "Intervals since checkpoint",
      description: "Steps since the newest checkpoint, over the steps between two that the job asks for.",
      unit: "short",
      width: 4,
      decimals: 1,
      limit: { above: 2, alert: "PlumeCheckpointStale" },
      targets: [
        {
          expr: perJob(
            maxBy(`${of("plume_step")} - ${of("plume_checkpoint_last_step")}`),
            maxBy(of("plume_checkpoint_interval_steps")),
          ),
          legend: "intervals",
        },
      ],
    },
    {
      kind: "stat",
      title: "Samples used twice",
      description: "Must stay 0.",
      unit: "short",
      width: 4,
      limit: { above: 1e-9, alert: "PlumeDuplicateSamples" },
      targets: [{ expr: sumBy(increase(of("plume_samples_duplicate_total"))), legend: "twice" }],
    },
  ],
};

const learning: Row = {
  title: "Learning",
  panels: [
    {
      kind: "timeseries",
      title: "Loss",
      description: "Of each step that was scraped, and its mean over the rate interval.",
      unit: "short",
      width: 12,
      targets: [
        { expr: maxBy(of("plume_loss")), legend: "loss" },
        { expr: maxBy(`avg_over_time(${of("plume_loss")}[$__rate_interval])`), legend: "mean" },
      ],
    },
    {
      kind: "timeseries",
      title: "Gradient norm",
      description: "Before clipping.",
      unit: "short",
      width: 12,
      min: 0,
      targets: [{ expr: maxBy(of("plume_grad_norm")), legend: "norm" }],
    },
    {
      kind: "timeseries",
      title: "Learning rate",
      description: "After warm-up and schedule.",
      unit: "sci",
      width: 8,
      min: 0,
      targets: [{ expr: maxBy(of("plume_learning_rate")), legend: "learning rate" }],
    },
    {
      kind: "timeseries",
      title: "EMA decay",
      description: "Of the weights' moving average.",
      unit: "short",
      width: 8,
      targets: [{ expr: maxBy(of("plume_ema_decay")), legend: "decay" }],
    },
    {
      kind: "timeseries",
      title: "Steps skipped",
      description: "A gradient of theirs was not finite.",
      unit: "short",
      width: 8,
      min: 0,
      limit: { above: 3, alert: "PlumeNonFinite" },
      targets: [{ expr: sumBy(increase(of("plume_nonfinite_gradients_total"))), legend: "skipped" }],
    },
  ],
};

const speed: Row = {
  title: "Speed",
  panels: [
    {
      kind: "timeseries",
      title: "Throughput",
      description: "Samples of committed steps.",
      unit: "cps",
      width: 12,
      min: 0,
      targets: [{ expr: sumBy(rate(of("plume_samples_committed_total"))), legend: "{{training_job}}" }],
    },
    {
      kind: "timeseries",
      title: "Throughput by worker",
      description: "Samples of committed steps by who computed them; the ten slowest.",
      unit: "cps",
      width: 12,
      min: 0,
      targets: [
        {
          expr: `bottomk(10, ${sumBy(rate(ofWorkers("plume_worker_samples_total")), "worker")})`,
          legend: "{{worker}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Step time",
      description: "Quantiles over the steps of the rate interval.",
      unit: "s",
      width: 8,
      min: 0,
      targets: [0.5, 0.95, 0.99].map((q) => ({
        expr: quantile(q, "plume_step_duration_seconds"),
        legend: `p${q * 100}`,
      })),
    },
    {
      kind: "timeseries",
      title: "Where a step's time goes",
      description: "Parts of the mean step. compute, data and pull are the slowest worker's.",
      unit: "s",
      width: 8,
      min: 0,
      stacked: true,
      targets: [
        {
          expr: `${sumBy(rate(of("plume_step_phase_seconds_total")), "phase")} / on (training_job) group_left () ${sumBy(rate(of("plume_step_duration_seconds_count")))}`,
          legend: "{{phase}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Waiting for data",
      description: "Share of the steps' time that the slowest worker waited for its samples.",
      unit: "percentunit",
      width: 8,
      min: 0,
      targets: [
        {
          expr: perJob(
            sumBy(rate(of("plume_step_phase_seconds_total", 'phase="data"'))),
            sumBy(rate(of("plume_step_duration_seconds_sum"))),
          ),
          legend: "data",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Scaling efficiency",
      description: "Committed samples over what the workers would give if they did nothing but compute.",
      unit: "percentunit",
      width: 12,
      min: 0,
      targets: [
        {
          expr: perJob(sumBy(rate(of("plume_samples_committed_total"))), sumBy(of("plume_worker_samples_per_second"))),
          legend: "efficiency",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Slowest over median worker",
      description: "By the seconds of a micro-batch.",
      unit: "short",
      width: 12,
      min: 1,
      limit: { above: 2, alert: "PlumeStraggler" },
      targets: [{ expr: maxBy(of("plume_straggler_ratio")), legend: "ratio" }],
    },
  ],
};

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
        { expr: maxBy(of("plume_workers_desired")), legend: "desired" },
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

export const RUN_ROWS: readonly Row[] = [overview, learning, speed, elasticity, data, network, checkpoints];
