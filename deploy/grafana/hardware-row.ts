// What the machines say: of plume's processes, of GPUs by NVIDIA's DCGM exporter, of pods by kube-state-metrics.

import type { Row } from "./panels.ts";
import { maxBy, of, ofWorkers, rate, sumBy } from "./select.ts";

/** DCGM's chart has honorLabels: false, so that the pod that uses a GPU is exported_pod. */
const gpu = (metric: string) => `${metric}{job=~".+",instance=~".+",exported_pod=~"$training_job-worker-.*"}`;
const byPod = (operation: string, expr: string) => `${operation} by (exported_pod, gpu) (${expr})`;

export const HARDWARE_ROW: Row = {
  title: "Hardware",
  panels: [
    {
      kind: "timeseries",
      title: "Processors",
      description: "Cores that plume's processes use.",
      unit: "short",
      width: 8,
      min: 0,
      targets: [
        {
          expr: sumBy(rate(of("process_cpu_seconds_total")), "component", "worker"),
          legend: "{{component}} {{worker}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Memory",
      description: "Resident, of plume's processes.",
      unit: "bytes",
      width: 8,
      min: 0,
      targets: [
        { expr: maxBy(of("process_resident_memory_bytes"), "component", "worker"), legend: "{{component}} {{worker}}" },
      ],
    },
    {
      kind: "timeseries",
      title: "Event loop lag",
      description: "p99: how late a process answers.",
      unit: "s",
      width: 8,
      min: 0,
      limit: { above: 0.5, alert: "PlumeEventLoopLag" },
      targets: [
        {
          expr: maxBy(of("nodejs_eventloop_lag_p99_seconds"), "component", "worker"),
          legend: "{{component}} {{worker}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Silence of workers",
      description: "Since a worker was last heard.",
      unit: "s",
      width: 8,
      min: 0,
      limit: { above: 5, alert: "PlumeWorkerSilent" },
      targets: [{ expr: maxBy(ofWorkers("plume_worker_heartbeat_age_seconds"), "worker"), legend: "{{worker}}" }],
    },
    {
      kind: "timeseries",
      title: "Memory of the compute backend",
      description: "The heap of wasm, what is allocated elsewhere.",
      unit: "bytes",
      width: 8,
      min: 0,
      targets: [{ expr: maxBy(ofWorkers("plume_worker_backend_memory_bytes"), "worker"), legend: "{{worker}}" }],
    },
    {
      kind: "timeseries",
      title: "Tensors",
      description: "Alive between two blocks; more and more of them are a leak.",
      unit: "short",
      width: 8,
      min: 0,
      targets: [{ expr: maxBy(ofWorkers("plume_worker_tensors"), "worker"), legend: "{{worker}}" }],
    },
    {
      kind: "timeseries",
      title: "GPU use",
      description: "By DCGM.",
      unit: "percent",
      width: 6,
      min: 0,
      max: 100,
      limit: { below: 10, alert: "PlumeGpuIdle" },
      targets: [{ expr: byPod("avg", gpu("DCGM_FI_DEV_GPU_UTIL")), legend: "{{exported_pod}} {{gpu}}" }],
    },
    {
      kind: "timeseries",
      title: "GPU memory",
      description: "By DCGM, which counts MiB.",
      unit: "bytes",
      width: 6,
      min: 0,
      targets: [
        { expr: `${byPod("sum", gpu("DCGM_FI_DEV_FB_USED"))} * 1024 * 1024`, legend: "{{exported_pod}} {{gpu}}" },
      ],
    },
    {
      kind: "timeseries",
      title: "GPU power",
      description: "By DCGM.",
      unit: "watt",
      width: 6,
      min: 0,
      targets: [{ expr: byPod("sum", gpu("DCGM_FI_DEV_POWER_USAGE")), legend: "{{exported_pod}} {{gpu}}" }],
    },
    {
      kind: "timeseries",
      title: "GPU temperature",
      description: "By DCGM.",
      unit: "celsius",
      width: 6,
      targets: [{ expr: byPod("max", gpu("DCGM_FI_DEV_GPU_TEMP")), legend: "{{exported_pod}} {{gpu}}" }],
    },
    {
      kind: "timeseries",
      title: "GPU errors",
      description: "The newest XID of each GPU; 0 is none.",
      unit: "short",
      width: 12,
      min: 0,
      limit: { above: 1e-9, alert: "PlumeGpuXid" },
      targets: [{ expr: byPod("max", gpu("DCGM_FI_DEV_XID_ERRORS")), legend: "{{exported_pod}} {{gpu}}" }],
    },
    {
      kind: "timeseries",
      title: "Container restarts",
      description: "By kube-state-metrics.",
      unit: "short",
      width: 12,
      min: 0,
      targets: [
        {
          expr: 'sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{job=~".+",instance=~".+",pod=~"$training_job-(worker|coordinator)-.*"}[$__rate_interval]))',
          legend: "{{pod}}",
        },
      ],
    },
  ],
};
