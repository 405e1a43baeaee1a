// A coordinator, made of the real one's parts, whose store kills its process at a phase of a save, or which tells the phases
// that it passes on stdout. It begins when its parent says how: so it can be loaded while the one before still lives.

import { once } from "node:events";
import { parseArgs } from "node:util";
import { createRunServices } from "../../coordinator/services.ts";
import { createBus } from "../../shared/bus/bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { loadJob } from "../../shared/config/load.ts";
import { createLog } from "../../shared/log.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";
import { openStore } from "../../shared/store/open.ts";
import { noTracer } from "../../shared/tracing/tracer.ts";
import { type SavePhase, tellingStore } from "./save-phases.ts";

export interface Life {
  /** Where it ends; at the end of the job when absent. */
  readonly die?: SavePhase;
  readonly recovering: boolean;
}

const { values } = parseArgs({
  options: {
    job: { type: "string" },
    out: { type: "string" },
    listen: { type: "string" },
  },
});
process.on("disconnect", () => process.exit(1));
const [how] = (await once(process, "message")) as [Life];

const passed = (phase: SavePhase) => {
  if (phase === how.die) process.kill(process.pid, "SIGKILL");
  if (!how.die) process.stdout.write(`${phase}\n`);
};
const stop = new AbortController();
const services = await createRunServices({
  job: loadJob(values.job!, { set: [] }),
  out: values.out!,
  listen: values.listen!,
  resume: "latest",
  allow: [],
  recovering: how.recovering,
  clock: systemClock,
  openStore: async (url, access) => tellingStore(await openStore(url, access), passed),
  bus: createBus((error) => {
    throw error;
  }),
  onlookers: [],
  tracer: noTracer,
  openLog: () => createLog({ role: "coordinator" }, { file: `${values.out}/logs/coordinator.log` }),
  requestStop: () => false,
  onLost: () => process.exit(1),
  plane: planeOfEnvironment(),
  onRefused: () => {},
  supervisor: null,
});
await services.train(stop.signal);
process.exit(0);
