// The server of a run's metrics, by the job's `monitoring`.

import { type HttpServer, startHttp } from "../../shared/http/server.ts";
import type { Onlooker } from "../onlooker.ts";
import { createMetrics } from "./metrics.ts";

export function createMonitoring(onError: (error: unknown) => void): Onlooker {
  let server: HttpServer | null = null;
  return {
    async open({ spec }) {
      const { host, port } = spec.monitoring;
      server = await startHttp({ host, port, field: "monitoring.port", onError });
    },
    async attach(view) {
      server?.route(createMetrics(view).routes);
      view.log.info({ url: server?.url }, "monitoring");
    },
    close: async () => server?.close(),
  };
}
