// The worker process: one device, nothing durable. Started by the command line (or a container) as:
// node --import tsx worker/main.ts --coordinator HOST:PORT --id NAME [--patience SECONDS] [--log-file FILE]
// [--metrics HOST:PORT]

import { parseArgs } from "node:util";
import { systemClock } from "../shared/clock.ts";
import { describeError, PlumeError } from "../shared/errors.ts";
import { createLog, type LogFacts } from "../shared/log.ts";
import { planeOfEnvironment } from "../shared/rpc/tls/plane.ts";
import { findTrouble } from "../shared/rpc/tls/trouble.ts";
import { TrainingClient } from "../shared/rpc/training-service.ts";
import { ownConnection, splitAddress } from "../shared/rpc/transport.ts";
import { TERMINATED, type WorkerMessage } from "../shared/supervision.ts";
import { openTracer } from "../shared/tracing/open.ts";
import { PLUME_VERSION } from "../shared/version.ts";
import { startComputeThread } from "./compute.ts";
import { createEngine } from "./engine.ts";
import { createWorkerMeter } from "./meter.ts";
import { openMonitor } from "./monitor.ts";
import { runSessions, type WorkerEngine } from "./session.ts";

const { values } = parseArgs({
  options: {
    coordinator: { type: "string" },
    id: { type: "string" },
    /** Seconds without a coordinator after which it gives up; Infinity where whoever starts it has no better use for it. */
    patience: { type: "string", default: "300" },
    "log-file": { type: "string" },
    /** Of its metrics and health, from the start, instead of the job's monitoring.host and monitoring.workerPort. */
    metrics: { type: "string" },
  },
});

process.on("unhandledRejection", (error) => {
  throw error;
});

/** @returns the exit code. */
async function main(): Promise<number> {
  if (!values.coordinator || !values.id)
    throw new PlumeError("INVALID_ARGUMENT", "--coordinator HOST:PORT and --id NAME are needed", {
      remedy: "plume train starts workers with both",
    });
  let facts: LogFacts = {};
  const noteFacts = (more: LogFacts) => {
    facts = { ...facts, ...more };
  };
  const log = createLog({ role: "worker", worker: values.id }, { file: values["log-file"], facts: () => facts });
  const leave = new AbortController();
  let code = 0;
  process.on("SIGTERM", () => {
    code = TERMINATED;
    leave.abort();
  });
  process.on("SIGINT", () => {}); // a terminal sends Ctrl-C to the whole group; the coordinator drains its workers
  process.on("disconnect", () => leave.abort()); // whoever started this process is gone
  const { coordinator, id } = values;
  const tell = (message: WorkerMessage) => void (process.connected && process.send?.(message));
  const plane = planeOfEnvironment((reason) => log.warn({ reason }, "changed certificates are not taken up"));
  await using tracer = await openTracer({
    service: "plume-worker",
    resource: { "service.instance.id": id },
    onFailure: (reason) => log.warn({ reason }, "spans cannot be sent; the work goes on without"),
  });
  await using thread = startComputeThread();
  const meter = createWorkerMeter();
  const place = values.metrics === undefined ? null : splitAddress(values.metrics);
  await using monitor = await openMonitor({ workerId: id, counts: meter.counts, place, log });
  await using engine = createEngine({
    workerId: id,
    clock: systemClock,
    log,
    tracer,
    openCompute: thread.open,
    meter,
    monitor,
  });
  let productive = false;
  try {
    const reason = await runSessions(
      {
        address: coordinator,
        connect: (address) => new TrainingClient(address, ...plane.client(address, ownConnection)),
        findTrouble: (said) => findTrouble(plane, coordinator, said),
        workerId: id,
        version: PLUME_VERSION,
        engine: noting(engine, noteFacts),
        log,
        patienceSeconds: Number(values.patience),
        now: () => systemClock.now(),
        onJoined() {
          meter.connected(true);
          tell({ kind: "joined" });
        },
        onParted: () => meter.connected(false),
        onProductive() {
          if (!productive) tell({ kind: "productive" });
          productive = true;
        },
      },
      leave.signal,
    );
    log.info({ reason }, "done");
    return code;
  } catch (error) {
    log.error({ err: error }, "worker failed");
    throw error;
  }
}

/** The engine as it is, and each line of the log says what it is at. */
const noting = (engine: WorkerEngine, note: (facts: LogFacts) => void): WorkerEngine => ({
  prepare(welcome, ...rest) {
    note({ job: welcome.job, incarnation: welcome.incarnation });
    return engine.prepare(welcome, ...rest);
  },
  work(lease, reports) {
    note({ step: lease.tuple!.step });
    return engine.work(lease, reports);
  },
});

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`plume worker ${values.id}: ${describeError(error)}\n`);
    process.exit(error instanceof PlumeError ? error.exitCode : 1);
  },
);
