// npm run bench:events -- 1,000 events a second into a real NATS server for a minute, beside the same events without one: what
// they cost the coordinator's thread, whether memory stays where it is, and whether all are stored. [--quick] [--json FILE]

import { parseArgs } from "node:util";
import { createNats } from "../../coordinator/nats/onlooker.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { scratchFolder } from "../support/plume.ts";
import { pause } from "../support/processes.ts";
import { openTestRun } from "../support/run-view.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable } from "./measure.ts";

const { values: options } = parseArgs({ options: COMMON_OPTIONS });
const A_SECOND = 1_000;
const SECONDS = options.quick ? 10 : 60;
/** Until the heap has its size. */
const WARM_SECONDS = options.quick ? 3 : 10;

interface Flood {
  readonly events: number;
  /** CPU time of this process. */
  readonly microsecondsAnEvent: number;
  /** MiB in use after the warm-up, and the most after that. */
  readonly heapMiB: number;
  readonly mostMiB: number;
  readonly stored: number | null;
}

async function flood(withServer: boolean): Promise<Flood> {
  using folder = scratchFolder();
  await using server = await startNatsServer();
  const spec = withServer ? { nats: { servers: [server.url] } } : {};
  const run = openTestRun({ folder: folder.path, name: "flood", spec });
  const onlooker = createNats({ recovering: false, epochMs: Date.now });
  await onlooker.open(run.view.job);
  await onlooker.attach(run.view);
  const heap = () => process.memoryUsage().heapUsed / 2 ** 20;
  const samples: number[] = [];
  const began = performance.now();
  const cpu = process.cpuUsage();
  let events = 0;
  for (let ms = 0; ms < 1000 * SECONDS; ms = performance.now() - began) {
    for (const due = (ms * A_SECOND) / 1000; events < due; events++)
      run.publish({
        kind: "worker",
        workerId: "worker-1",
        change: "well",
        reason: `heard again, for the ${events}th time`,
      });
    if (ms > 1000 * WARM_SECONDS) samples.push(heap());
    await pause(5);
  }
  const { user, system } = process.cpuUsage(cpu);
  await onlooker.close();
  const connection = withServer ? await server.connect() : null;
  const info = await connection?.request("$JS.API.STREAM.INFO.plume-events-flood");
  return {
    events,
    microsecondsAnEvent: (user + system) / events,
    heapMiB: Math.min(...samples.slice(0, 200)),
    mostMiB: Math.max(...samples),
    stored: info ? info.json<{ state: { messages: number } }>().state.messages : null,
  };
}

console.log(`${machineLine()}; ${A_SECOND} events a second for ${SECONDS} s`);
const [alone, kept] = [await flood(false), await flood(true)];
const row = (name: string, { events, microsecondsAnEvent, heapMiB, mostMiB, stored }: Flood) => [
  name,
  `${events}`,
  `${stored ?? "-"}`,
  microsecondsAnEvent.toFixed(0),
  `${heapMiB.toFixed(0)}, ${mostMiB.toFixed(0)}`,
];
console.log(
  markdownTable([
    ["", "events", "stored", "us of CPU an event", "MiB of heap at first, at most"],
    row("events.ndjson alone", alone),
    row("and a NATS server", kept),
  ]),
);
finish("events", options.json, { ratios: { stored: kept.stored! / kept.events }, results: { alone, kept } });
process.exit(0);
