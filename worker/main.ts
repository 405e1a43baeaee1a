// The worker process: one device, nothing durable. Started by the command line (or a container) as:
// node --import tsx worker/main.ts --coordinator HOST:PORT --id NAME [--patience SECONDS] [--log-file FILE]

import { parseArgs } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { systemClock } from "../shared/clock.ts";
import { describeError, PlumeError } from "../shared/errors.ts";
import { createLog } from "../shared/log.ts";
import { TrainingClient } from "../shared/rpc/training-service.ts";
import { channelOptions } from "../shared/rpc/transport.ts";
import { PLUME_VERSION } from "../shared/version.ts";
import { createEngine } from "./engine.ts";
import { runSessions } from "./session.ts";

const { values } = parseArgs({
  options: {
    coordinator: { type: "string" },
    id: { type: "string" },
    patience: { type: "string", default: "60" },
    "log-file": { type: "string" },
  },
});

process.on("unhandledRejection", (error) => {
  throw error;
});

async function main(): Promise<string> {
  if (!values.coordinator || !values.id)
    throw new PlumeError("INVALID_ARGUMENT", "--coordinator HOST:PORT and --id NAME are needed");
  const log = createLog({ role: "worker", worker: values.id }, values["log-file"] ? { file: values["log-file"] } : {});
  const leave = new AbortController();
  process.on("SIGTERM", () => leave.abort());
  process.on("SIGINT", () => {}); // a terminal sends Ctrl-C to the whole group; the coordinator drains its workers
  const client = new TrainingClient(values.coordinator, credentials.createInsecure(), channelOptions);
  await using engine = createEngine({ client, workerId: values.id, clock: systemClock, log });
  try {
    const reason = await runSessions(
      {
        client,
        workerId: values.id,
        version: PLUME_VERSION,
        engine,
        log,
        patienceSeconds: Number(values.patience),
        now: () => systemClock.now(),
      },
      leave.signal,
    );
    log.info({ reason }, "done");
    return reason;
  } catch (error) {
    log.error({ err: error }, "worker failed");
    throw error;
  } finally {
    client.close();
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`plume worker ${values.id}: ${describeError(error)}\n`);
    process.exit(error instanceof PlumeError ? error.exitCode : 1);
  },
);
