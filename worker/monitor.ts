// The worker's metrics and health, on the port that the job names. They are of this process, whatever becomes of sessions.
//
// I1. A worker trains whether or not anybody can watch it: a port that cannot be had costs a line in the log.

import type { JobSpec } from "../shared/config/schema.ts";
import { describeError } from "../shared/errors.ts";
import { type HttpServer, startHttp } from "../shared/http/server.ts";
import type { Logger } from "../shared/log.ts";
import { createRegistry } from "../shared/metrics/registry.ts";
import { monitoringRoutes } from "../shared/metrics/routes.ts";
import { WORKER_COLLECTORS } from "../shared/metrics/table.ts";
import type { WorkerCounts } from "../shared/metrics/worker/source.ts";

/** Workers of one host share the job's port: each takes the next free one, among so many. */
const PORTS = 64;

export interface Monitor extends AsyncDisposable {
  /** Once a process; later calls give the same port. @returns 0 when there is none to be had. */
  listen(job: string, monitoring: JobSpec["monitoring"]): Promise<number>;
}

export function createMonitor(workerId: string, counts: WorkerCounts, log: Logger): Monitor {
  let server: Promise<HttpServer | null> | null = null;

  const start = async (job: string, { host, workerPort }: JobSpec["monitoring"]): Promise<HttpServer | null> => {
    const onError = (error: unknown) => log.error({ err: error }, "a request failed");
    const open = (port: number) => startHttp({ host, port, field: "monitoring.workerPort", onError });
    const http = await firstFree(open, workerPort).catch((error) => {
      log.warn({ reason: describeError(error) }, "no metrics of this worker");
      return null;
    });
    if (!http) return null;
    const registry = createRegistry({
      collectors: WORKER_COLLECTORS,
      context: null,
      labels: { training_job: job, component: "worker", worker: workerId },
    });
    http.route(
      monitoringRoutes({
        render: () => registry.render(counts),
        unready: () => (counts.connected ? null : "no coordinator"),
      }),
    );
    const taken = workerPort !== 0 && http.port !== workerPort;
    log.info({ url: http.url, ...(taken && { reason: `port ${workerPort} is taken` }) }, "monitoring");
    return http;
  };

  return {
    async listen(job, monitoring) {
      server ??= start(job, monitoring);
      return (await server)?.port ?? 0;
    },
    async [Symbol.asyncDispose]() {
      await (await server)?.close();
    },
  };
}

/** @throws what the first port was refused with, when none of them can be had. */
async function firstFree(open: (port: number) => Promise<HttpServer>, first: number): Promise<HttpServer> {
  try {
    return await open(first);
  } catch (refusal) {
    for (let port = first + 1; isTaken(refusal) && port < Math.min(first + PORTS, 65_536); port++) {
      const http = await open(port).catch(() => null);
      if (http) return http;
    }
    throw refusal;
  }
}

const isTaken = (error: unknown): boolean =>
  ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "EADDRINUSE";
