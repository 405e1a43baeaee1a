// The run dashboard, what one looks at first: does it learn, and how fast.

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

export const LEARNING_ROWS: readonly Row[] = [overview, learning, speed];
