// The process of a pod with several devices. Started by a container as:
// node worker-pod.mjs --processes N --coordinator HOST:PORT --id POD --metrics HOST:PORT [--patience SECONDS]

import { parseArgs } from "node:util";
import { cudaDevices } from "../../shared/backends/environment.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { type HttpServer, startHttp } from "../../shared/http/server.ts";
import { listenHost } from "../../shared/listen-host.ts";
import { createLog, type Logger } from "../../shared/log.ts";
import type { MetricsText } from "../../shared/metrics/registry.ts";
import { monitoringRoutes } from "../../shared/metrics/routes.ts";
import { joinAddress, splitAddress } from "../../shared/rpc/transport.ts";
import { TERMINATED } from "../../shared/supervision.ts";
import { mergeMetrics } from "./merge.ts";
import { type Processes, startProcesses } from "./processes.ts";

const { values } = parseArgs({
  options: {
    processes: { type: "string" },
    coordinator: { type: "string" },
    id: { type: "string" },
    /** Of the pod; each worker has one of the ports after it. */
    metrics: { type: "string" },
    patience: { type: "string", default: "300" },
  },
});

/** A worker that does not answer in time is not ready, and its metrics wait for the next scrape. */
const ANSWER_MS = 2_000;

process.on("unhandledRejection", (error) => {
  throw error;
});

/** @returns the exit code. */
async function main(): Promise<number> {
  const { coordinator, id, metrics, patience } = values;
  const count = Number(values.processes);
  if (!coordinator || !id || !metrics || !Number.isInteger(count) || count < 1)
    throw new PlumeError("INVALID_ARGUMENT", "--processes N, --coordinator, --id and --metrics HOST:PORT are needed", {
      remedy: "plume render gives them to the pods of a job with workers.perPod",
    });
  const log = createLog({ role: "worker-pod", pod: id });
  const { host, port } = splitAddress(metrics);
  const placeOf = (index: number) => joinAddress(listenHost(host), port + 1 + index);
  const http = await startHttp({
    host,
    port,
    field: "--metrics",
    names: "any",
    onError: (error) => log.error({ err: error }, "a request failed"),
  });
  const devices = cudaDevices();
  const processes = startProcesses({
    count,
    args: (index) => [
      `--coordinator=${coordinator}`,
      `--id=${id}-${index}`,
      `--metrics=${placeOf(index)}`,
      `--patience=${patience}`,
    ],
    environment: (index) => (devices.length > 0 ? { CUDA_VISIBLE_DEVICES: devices[index % devices.length]! } : {}),
    log,
  });
  let terminated = false;
  process.on("SIGTERM", () => {
    terminated = true;
    processes.leave();
  });
  answer(http, { places: Array.from({ length: count }, (_, index) => placeOf(index)), processes, log });
  log.info({ processes: count, devices }, "started");
  const code = await processes.ended;
  await http.close();
  return terminated ? TERMINATED : code;
}

interface Answering {
  /** host:port of each worker's own server. */
  readonly places: readonly string[];
  readonly processes: Processes;
  readonly log: Logger;
}

function answer(http: HttpServer, { places, processes, log }: Answering): void {
  const ask = async (place: string, path: string) => {
    const response = await fetch(`http://${place}${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return { ok: response.ok, text: await response.text() };
  };
  const unready = async (): Promise<string | null> => {
    for (const [index, place] of places.entries()) {
      if (processes.givenUp.has(index)) return `worker ${index} may not come back as it is`;
      const said = await ask(place, "/readyz").catch(() => ({ ok: false, text: "it does not answer" }));
      if (!said.ok) return `worker ${index}: ${said.text.trim()}`;
    }
    return null;
  };
  const render = async (): Promise<MetricsText> => {
    const said = await Promise.allSettled(places.map((place) => ask(place, "/metrics")));
    const texts = said.flatMap((each) => (each.status === "fulfilled" && each.value.ok ? [each.value.text] : []));
    if (texts.length < places.length) log.debug({ answered: texts.length }, "not all workers told their metrics");
    return { type: "text/plain; version=0.0.4; charset=utf-8", body: mergeMetrics(texts) };
  };
  http.route(monitoringRoutes({ render, unready }));
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`plume worker pod ${values.id}: ${describeError(error)}\n`);
    process.exit(error instanceof PlumeError ? error.exitCode : 1);
  },
);
