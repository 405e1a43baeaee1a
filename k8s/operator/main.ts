// The operator process: wires the cluster, the lease, the watches and the metrics, then waits. In a cluster by its service account,
// outside by KUBECONFIG: node k8s/operator/main.ts --namespace NAMESPACE | --all-namespaces [--monitor HOST:PORT] [--lease NAME]
// [--lease-namespace NAMESPACE] [--status-seconds N] [--poll-seconds N] [--node-grace-seconds N]

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import { aborted } from "../../shared/clock.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { startHttp } from "../../shared/http/server.ts";
import { createLog, type Logger } from "../../shared/log.ts";
import { createRegistry } from "../../shared/metrics/registry.ts";
import { monitoringRoutes } from "../../shared/metrics/routes.ts";
import { OPERATOR_COLLECTORS } from "../../shared/metrics/table.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";
import { splitAddress } from "../../shared/rpc/transport.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import { createApi } from "./api.ts";
import { type Controller, startController } from "./controller.ts";
import { lead } from "./lease.ts";
import { createRecorder } from "./recorder.ts";

const { values } = parseArgs({
  options: {
    namespace: { type: "string" },
    "all-namespaces": { type: "boolean", default: false },
    monitor: { type: "string", default: "127.0.0.1:0" },
    lease: { type: "string", default: "plume-operator" },
    /** Where several operators share their lease; the one they work in when absent. */
    "lease-namespace": { type: "string" },
    "lease-seconds": { type: "string", default: "15" },
    /** Least time between two writes of a status in which only numbers change. */
    "status-seconds": { type: "string", default: "10" },
    /** Between two questions to a coordinator. */
    "poll-seconds": { type: "string", default: "5" },
    /** A node that is not ready for so long is dead. */
    "node-grace-seconds": { type: "string", default: "60" },
    workers: { type: "string", default: "8" },
  },
});

process.on("unhandledRejection", (error) => {
  throw error;
});

/** A pod that was asked to go is looked after so much later. */
const STUCK_MS = 15_000;
const SAVE_AGAIN_MS = 30_000;

async function main(): Promise<number> {
  const log = createLog({ role: "operator" });
  const plane = planeOfEnvironment((reason) => log.warn({ reason }, "changed certificates are not taken up"));
  const config = new KubeConfig();
  config.loadFromDefault();
  const own = config.getContextObject(config.getCurrentContext())?.namespace ?? "default";
  const namespace = values["all-namespaces"] ? null : (values.namespace ?? own);
  const leaseMs = 1000 * positive("--lease-seconds", values["lease-seconds"]);
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort(new Error(name)));

  let controller: Controller | null = null;
  const registry = createRegistry({ collectors: OPERATOR_COLLECTORS, context: null, labels: {} });
  const { host, port } = splitAddress(values.monitor);
  const http = await startHttp({ host, port, field: "--monitor", names: "any", onError: (err) => log.error({ err }) });
  const counts = () => ({ jobs: controller?.jobs ?? 0, queued: controller?.queued ?? 0, leads: controller !== null });
  // One that stands by is ready for what it is there for.
  http.route(monitoringRoutes({ render: () => registry.render(counts()), unready: () => null }));
  const api = createApi({
    config,
    after: ({ method }, outcome) => registry.event({ kind: "call", method, outcome }),
  });
  const me = `${hostname()}_${process.pid}_${randomBytes(4).toString("hex")}`;
  log.info({ version: PLUME_VERSION, me, namespace: namespace ?? "all", url: http.url }, "opening");

  try {
    const leadership = await lead(
      {
        api,
        namespace: values["lease-namespace"] ?? namespace ?? own,
        name: values.lease,
        election: { me, leaseMs, renewMs: (leaseMs * 2) / 3 },
        everyMs: leaseMs / 8,
        now: () => performance.now(),
        epochMs: Date.now,
        log,
      },
      stop.signal,
    );
    const over = AbortSignal.any([stop.signal, leadership.signal]);
    controller = await startController(
      {
        api,
        namespace,
        recorder: createRecorder({
          api,
          instance: me,
          epochMs: Date.now,
          onError: (error) => log.warn({ reason: String(error) }, "an event could not be told"),
        }),
        plane,
        options: {
          statusEveryMs: 1000 * positive("--status-seconds", values["status-seconds"]),
          pollMs: 1000 * positive("--poll-seconds", values["poll-seconds"]),
          saveAgainMs: SAVE_AGAIN_MS,
          stuckMs: STUCK_MS,
          nodeGraceMs: 1000 * positive("--node-grace-seconds", values["node-grace-seconds"]),
        },
        workers: positive("--workers", values.workers),
        epochMs: Date.now,
        onEvent: registry.event,
        log,
      },
      over,
    );
    log.info({ jobs: controller.jobs }, "watching");
    await aborted(over);
    await controller.close();
    await leadership.release();
    return conclude(log, leadership.signal);
  } catch (error) {
    if (stop.signal.aborted) return 0;
    throw error;
  } finally {
    api.close();
    await http.close();
  }
}

/** One that has lost its lease begins anew, with nothing of what it knew. */
function conclude(log: Logger, lost: AbortSignal): number {
  if (!lost.aborted) return 0;
  log.error({ reason: String(lost.reason) }, "it leads no more");
  return 1;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new PlumeError("INVALID_ARGUMENT", `${option} ${text} is no positive number`, { remedy: "for example 10" });
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`plume operator: ${describeError(error)}\n`);
    if (!(error instanceof PlumeError)) process.stderr.write(`${(error as Error)?.stack}\n`);
    process.exit(error instanceof PlumeError ? error.exitCode : 1);
  },
);
