// All collectors, and with them all metrics.

import type { Metric } from "./metric.ts";
import { passes } from "./operator/passes.ts";
import { shards } from "./reducer/shards.ts";
import { checkpoints } from "./run/checkpoints.ts";
import { control } from "./run/control.ts";
import { elasticity } from "./run/elasticity.ts";
import { learning } from "./run/learning.ts";
import { members } from "./run/members.ts";
import { network } from "./run/network.ts";
import { progress } from "./run/progress.ts";
import { samples } from "./run/samples.ts";
import { speed } from "./run/speed.ts";
import { time } from "./run/time.ts";
import { device } from "./worker/device.ts";
import { transfers } from "./worker/transfers.ts";
import { work } from "./worker/work.ts";

export const RUN_COLLECTORS = [
  progress,
  learning,
  samples,
  speed,
  time,
  elasticity,
  members,
  network,
  checkpoints,
  control,
];

export const WORKER_COLLECTORS = [work, transfers, device];

export const REDUCER_COLLECTORS = [shards];

export const OPERATOR_COLLECTORS = [passes];

type Component = "coordinator" | "worker" | "reducer" | "operator";

/** Of the coordinator first, then of the others. */
export const METRICS: readonly (Metric & { readonly by: Component })[] = [
  ...listed(RUN_COLLECTORS, "coordinator"),
  ...listed(WORKER_COLLECTORS, "worker"),
  ...listed(REDUCER_COLLECTORS, "reducer"),
  ...listed(OPERATOR_COLLECTORS, "operator"),
];

function listed<B extends Component>(
  collectors: readonly { readonly metrics: Readonly<Record<string, Metric>> }[],
  by: B,
) {
  return collectors.flatMap(({ metrics }) => Object.values(metrics).map((metric) => ({ ...metric, by })));
}
