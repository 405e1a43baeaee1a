// The coordinator process: wires the job, the state, the server and the run, then waits. Started by the command line
// as: node --import tsx coordinator/main.ts --job FILE --out DIR [--listen HOST:PORT] [--resume WHICH] [--recovering]
// [--page-port N]. With an IPC channel it tells its parent that it is ready, which workers it wants, and why it failed
// (shared/supervision.ts). By a container with [--set path=value] [--monitor HOST:PORT] [--linger] [--scales statefulset/NAME].

import { parseArgs } from "node:util";
import { createBus } from "../shared/bus/bus.ts";
import { systemClock } from "../shared/clock.ts";
import { loadJobAndToken } from "../shared/config/load.ts";
import { describeError, PlumeError } from "../shared/errors.ts";
import { tokenOfEnvironment } from "../shared/http/token.ts";
import { createLog, type Logger, silentLog } from "../shared/log.ts";
import { planeOfEnvironment } from "../shared/rpc/tls/plane.ts";
import { splitAddress } from "../shared/rpc/transport.ts";
import { keepSecret } from "../shared/secrets.ts";
import { openStore } from "../shared/store/open.ts";
import { type CoordinatorMessage, TERMINATED } from "../shared/supervision.ts";
import { openTracer } from "../shared/tracing/open.ts";
import { PLUME_VERSION } from "../shared/version.ts";
import { isBegun } from "./accounting/journal.ts";
import { openCluster } from "./cluster/open.ts";
import { createDrawing } from "./http/drawing-routes.ts";
import { openToAll } from "./http/provider.ts";
import { createSite } from "./http/site.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { createNats } from "./nats/onlooker.ts";
import { createRunServices } from "./services.ts";

const { values } = parseArgs({
  options: {
    job: { type: "string" },
    out: { type: "string" },
    listen: { type: "string", default: "127.0.0.1:0" },
    resume: { type: "string", default: "latest" },
    allow: { type: "string", multiple: true, default: [] },
    recovering: { type: "boolean", default: false },
    "log-file": { type: "string" },
    /** Of the page, instead of monitoring.port: the one that it had before a restart. */
    "page-port": { type: "string" },
    /** A field of the job; may be repeated. */
    set: { type: "string", multiple: true, default: [] },
    /** Of the page, instead of monitoring.host and monitoring.port: the job stays the same wherever its pod is. */
    monitor: { type: "string" },
    /** After the end it goes on answering until it is asked to end. */
    linger: { type: "boolean", default: false },
    /** The worker set that this run's workers are of: as many as it needs, none at a pause and after the end. */
    scales: { type: "string" },
  },
});

/** To the parent, if it listens; resolves once the message is on its way, so that an exit does not lose it. */
const tell = (message: CoordinatorMessage): Promise<void> =>
  new Promise((resolve) => (process.send ? process.send(message, () => resolve()) : resolve()));

process.on("unhandledRejection", (error) => {
  throw error;
});

/** @returns the exit code. */
async function main(): Promise<number> {
  if (!values.job || !values.out)
    throw new PlumeError("INVALID_ARGUMENT", "--job FILE and --out DIR are needed", {
      remedy: "plume train starts a coordinator with both",
    });
  const { job, token } = loadJobAndToken(values.job, { set: values.set });
  const given = token ?? tokenOfEnvironment();
  if (given !== null) keepSecret(given);
  let log: Logger = silentLog;
  const facts: { step?: number } = {};
  let isComplete = false;
  const openLog = (incarnation: number): Logger => {
    const file = values["log-file"];
    log = createLog(
      { role: "coordinator" },
      { file, facts: () => ({ job: job.metadata.name, incarnation, ...facts }) },
    );
    log.info({ version: PLUME_VERSION, out: values.out }, "opening");
    return log;
  };
  const bus = createBus((error) => log.error({ err: error }, "a subscriber failed"));
  bus.subscribe((event) => {
    if (event.kind === "status") facts.step = event.status.step;
    if (event.kind === "end") isComplete = event.outcome === "complete";
  });
  const stop = new AbortController();
  const requestStop = (reason: string) => {
    if (stop.signal.aborted) return false;
    log.info({ reason }, "stopping after the step in progress");
    stop.abort(new PlumeError("INTERRUPTED", reason));
    return true;
  };
  const cluster = values.scales ? await openCluster({ scales: values.scales, job, out: values.out }) : null;
  await using workerSet = cluster?.supervisor ?? null;
  const ended = new AbortController();
  process.on("SIGTERM", () => {
    void workerSet?.[Symbol.asyncDispose](); // another coordinator comes: the workers stay for it
    ended.abort();
    requestStop("SIGTERM");
  });
  process.on("SIGINT", () => {}); // a terminal sends Ctrl-C to the whole group; the command line decides what it means

  await using tracer = await openTracer({
    service: "plume-coordinator",
    onFailure: (reason) => log.warn({ reason }, "spans cannot be sent; the run goes on without"),
  });
  const port = values["page-port"];
  const monitor = values.monitor === undefined ? null : splitAddress(values.monitor);
  // A process more is for a machine of one's own: a container has the memory of a coordinator.
  const draws = process.send !== undefined;
  const site = createSite({
    token: given,
    draws,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(monitor ? { listen: monitor } : {}),
    providers: [
      openToAll((view) => createMetrics(view, { lingers: values.linger }).routes),
      ...(draws ? [createDrawing()] : []),
    ],
  });
  // A container that is started again finds what the one before it left.
  const recovering = values.recovering || (values.linger && isBegun(values.out));
  const plane = planeOfEnvironment((reason) => log.warn({ reason }, "changed certificates are not taken up"));
  const services = await createRunServices({
    job,
    plane,
    onRefused: (reason) => log.warn({ reason }, "a connection was refused"),
    out: values.out,
    listen: values.listen,
    resume: values.resume,
    allow: values.allow,
    recovering,
    ...(cluster ? { asked: cluster.asked } : {}),
    ...(values.linger ? { linger: ended.signal } : {}),
    ...(monitor ? { metricsHost: monitor.host } : {}),
    clock: systemClock,
    openStore,
    bus,
    onlookers: [site, createNats({ recovering, epochMs: Date.now })],
    tracer,
    openLog,
    requestStop,
    onLost(error) {
      // As if this process had been killed: nothing is tidied up, workers stay, and whoever started it starts another.
      log.error({ err: error }, "the parameters are lost");
      process.stderr.write(`plume: ${error.message}\n`);
      process.exit(1);
    },
    supervisor: process.send
      ? {
          productive: () => void tell({ kind: "productive" }),
          ending: () => void tell({ kind: "ending" }),
          scale: (replicas) => void tell({ kind: "scale", replicas }),
          lost: (worker, reason) => void tell({ kind: "lost", worker, reason }),
        }
      : workerSet,
  });
  // A run whose command line is gone must not train on alone.
  process.on("disconnect", () => requestStop("the command line is gone"));
  const { address, page } = services;
  await tell({ kind: "ready", address, page });
  log.info({ address, page: page?.url }, "listening");
  const unsaved = await services.train(stop.signal);
  if (process.send) return 0; // the command line reads it in summary.json, and says it
  // Asked to go is not done: a Job, unlike a StatefulSet, starts no other one where this ends with 0.
  if (unsaved === null) return ended.signal.aborted && !isComplete ? TERMINATED : 0;
  process.stderr.write(`plume: the last state is not in the store: ${unsaved}\n`);
  return 1;
}

main().then(
  (code) => process.exit(code),
  async (error) => {
    const known = error instanceof PlumeError;
    await tell({
      kind: "error",
      code: known ? error.code : "INTERNAL",
      message: error?.message ?? String(error),
      remedy: known ? error.remedy : undefined,
    });
    if (!process.send) process.stderr.write(`plume: ${describeError(error)}\n`);
    if (!known) process.stderr.write(`${error?.stack}\n`);
    process.exit(known ? error.exitCode : 1);
  },
);
