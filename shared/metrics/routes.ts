// What a process answers to Prometheus and to probes.

import { type HttpServer, reply } from "../http/server.ts";
import type { MetricsText } from "./registry.ts";

export type Routes = Parameters<HttpServer["route"]>[0];

export interface MonitoringRoutes {
  readonly render: () => Promise<MetricsText>;
  /** Why this process is not ready for its work; null when it is. */
  readonly unready: () => string | null | Promise<string | null>;
}

/** Alive is whoever answers: that needs no other process, no store and no NATS. */
export const monitoringRoutes = ({ render, unready }: MonitoringRoutes): Routes => ({
  "GET /metrics": async ({ response }) => {
    const { type, body } = await render();
    reply(response, 200, type, body);
  },
  "GET /healthz": ({ response }) => reply(response, 200, "text/plain", "ok\n"),
  "GET /readyz": async ({ response }) => {
    const reason = await unready();
    reply(response, reason === null ? 200 : 503, "text/plain", `${reason ?? "ok"}\n`);
  },
});
