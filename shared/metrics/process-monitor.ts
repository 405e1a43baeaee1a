// The metrics and the health of a process that serves a run, on a port of its own.
//
// I1. It works whether or not anybody can watch it: a port that cannot be had costs a line in the log.

import { describeError } from "../errors.ts";
import { isLoopback } from "../http/access.ts";
import { type HttpServer, startHttp } from "../http/server.ts";
import type { Logger } from "../log.ts";
import { createRegistry, type RegistryOptions } from "./registry.ts";
import { monitoringRoutes } from "./routes.ts";

/** Processes of one host may be told the same port: each takes the next free one, among so many. */
const PORTS = 64;

export interface ProcessMonitorOptions<Snapshot> extends Pick<RegistryOptions<null, Snapshot, never>, "collectors"> {
  /** On every series of this process; asked at each scrape. */
  readonly labels: () => Readonly<Record<string, string>>;
  readonly host: string;
  /** 0 for any. */
  readonly port: number;
  /** The field of the job that named the port. */
  readonly field: string;
  readonly snapshot: () => Snapshot;
  /** Why this process is not ready for its work; null when it is. */
  readonly unready: () => string | null;
  readonly log: Logger;
}

/** @returns null when there is no port to be had. */
export async function monitorProcess<Snapshot>(options: ProcessMonitorOptions<Snapshot>): Promise<HttpServer | null> {
  const { host, port, field, collectors, labels, snapshot, unready, log } = options;
  const onError = (error: unknown) => log.error({ err: error }, "a request failed");
  const http = await firstFree(
    (each) => startHttp({ host, port: each, field, names: isLoopback(host) ? [] : "any", onError }),
    port,
  ).catch((error) => {
    log.warn({ reason: describeError(error) }, "no metrics of this process");
    return null;
  });
  if (!http) return null;
  const registry = createRegistry({ collectors, context: null, labels: labels() });
  const render = () => {
    registry.label(labels());
    return registry.render(snapshot());
  };
  http.route(monitoringRoutes({ render, unready }));
  const taken = port !== 0 && http.port !== port;
  log.info({ url: http.url, ...(taken && { reason: `port ${port} is taken` }) }, "monitoring");
  return http;
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
