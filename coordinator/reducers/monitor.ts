// A reducer's metrics: counted here, served on a free port.

import type { Logger } from "../../shared/log.ts";
import { monitorProcess } from "../../shared/metrics/process-monitor.ts";
import type { ReducerCounts } from "../../shared/metrics/reducer/source.ts";
import { REDUCER_COLLECTORS } from "../../shared/metrics/table.ts";
import type { ReducerRun } from "./messages.ts";

export interface ReducerMeter {
  moved(direction: "in" | "out", bytes: number): void;
  ran(calls: number, seconds: number): void;
  /** @returns the port of the metrics; 0 when there is none to be had. */
  join(run: ReducerRun, index: string, log: Logger): Promise<number>;
}

export function createReducerMeter(): ReducerMeter {
  const bytes = { in: 0, out: 0 };
  const kernels = { calls: 0, seconds: 0 };
  const counts: ReducerCounts = { bytes, kernels };
  return {
    moved(direction, more) {
      bytes[direction] += more;
    },
    ran(calls, seconds) {
      kernels.calls += calls;
      kernels.seconds += seconds;
    },
    async join({ job, metricsHost: host }, index, log) {
      const http = await monitorProcess({
        host,
        port: 0,
        field: "monitoring.host",
        collectors: REDUCER_COLLECTORS,
        labels: () => ({ training_job: job, component: "reducer", reducer: index }),
        snapshot: () => counts,
        unready: () => null, // it has none before it has its run
        log,
      });
      return http?.port ?? 0;
    },
  };
}
