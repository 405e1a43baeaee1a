// The worker's metrics and health, on the port that the job names. They are of this process, whatever becomes of sessions.

import type { JobSpec } from "../shared/config/schema.ts";
import type { HttpServer } from "../shared/http/server.ts";
import type { Logger } from "../shared/log.ts";
import { monitorProcess } from "../shared/metrics/process-monitor.ts";
import { WORKER_COLLECTORS } from "../shared/metrics/table.ts";
import type { WorkerCounts } from "../shared/metrics/worker/source.ts";

export interface Monitor extends AsyncDisposable {
  /** Once a process; later calls give the same port. @returns 0 when there is none to be had. */
  listen(job: string, monitoring: JobSpec["monitoring"]): Promise<number>;
}

export function createMonitor(workerId: string, counts: WorkerCounts, log: Logger): Monitor {
  let server: Promise<HttpServer | null> | null = null;
  return {
    async listen(job, { host, workerPort }) {
      server ??= monitorProcess({
        host,
        port: workerPort,
        field: "monitoring.workerPort",
        collectors: WORKER_COLLECTORS,
        labels: { training_job: job, component: "worker", worker: workerId },
        snapshot: () => counts,
        unready: () => (counts.connected ? null : "no coordinator"),
        log,
      });
      return (await server)?.port ?? 0;
    },
    async [Symbol.asyncDispose]() {
      await (await server)?.close();
    },
  };
}
