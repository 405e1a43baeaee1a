// The worker's metrics and health. They are of this process, whatever becomes of sessions: on a place of its own from the
// start, or where the job says, from the first welcome on.

import type { JobSpec } from "../shared/config/schema.ts";
import { PlumeError } from "../shared/errors.ts";
import type { HttpServer } from "../shared/http/server.ts";
import type { Logger } from "../shared/log.ts";
import { monitorProcess } from "../shared/metrics/process-monitor.ts";
import { WORKER_COLLECTORS } from "../shared/metrics/table.ts";
import type { WorkerCounts } from "../shared/metrics/worker/source.ts";
import { joinAddress } from "../shared/rpc/transport.ts";

interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Monitor extends AsyncDisposable {
  /**
   * What it computes is known: once a process; later calls give the same place.
   * @returns port 0 when there is none to be had; host empty where the job names it.
   */
  listen(job: string, monitoring: JobSpec["monitoring"]): Promise<Place>;
}

export interface MonitorOptions {
  readonly workerId: string;
  readonly counts: WorkerCounts;
  /** Of its own; null for the job's. */
  readonly place: Place | null;
  readonly log: Logger;
}

/** @throws PlumeError INVALID_ARGUMENT when its own place cannot be had: whoever named it looks there. */
export async function openMonitor({ workerId, counts, place, log }: MonitorOptions): Promise<Monitor> {
  let job = "";
  const start = ({ host, port }: Place, field: string) =>
    monitorProcess({
      host,
      port,
      field,
      collectors: WORKER_COLLECTORS,
      labels: () => ({ training_job: job, component: "worker", worker: workerId }),
      snapshot: () => counts,
      unready: () => (counts.connected ? null : "no coordinator"),
      log,
    });
  let server: Promise<HttpServer | null> | null = null;
  const close = async () => void (await (await server)?.close());
  if (place) {
    server = start(place, "--metrics");
    const port = (await server)?.port;
    if (port === undefined || (place.port !== 0 && port !== place.port)) {
      await close();
      throw new PlumeError(
        "INVALID_ARGUMENT",
        `--metrics ${joinAddress(place.host, place.port)}: this place cannot be had`,
        {
          remedy: "name an address of this machine and a port that nobody uses",
        },
      );
    }
  }
  return {
    async listen(name, { host, workerPort }) {
      job = name;
      server ??= start({ host, port: workerPort }, "monitoring.workerPort");
      return { host: place?.host ?? "", port: (await server)?.port ?? 0 };
    },
    [Symbol.asyncDispose]: close,
  };
}
