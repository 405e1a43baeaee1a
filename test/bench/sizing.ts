// npm run bench:sizing -- how large a coordinator has to be: memory of its processes and bytes on their gRPC connections, by
// parameters, workers, wire dtype and reducers, in real runs whose workers compute nothing; and how near the formulas of
// README.md ("Sizing") come. [--quick] [--json FILE]

import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readEvents } from "../../shared/bus/event-log.ts";
import { sleep } from "../../shared/clock.ts";
import { type ControlClient, controlClient } from "../../shared/rpc/control-client.ts";
import { openPlane } from "../../shared/rpc/tls/plane.ts";
import { childrenOf } from "../support/processes.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable } from "./measure.ts";
import { type LiveRun, syntheticRun } from "./synthetic-run.ts";

const { values: options } = parseArgs({ options: COMMON_OPTIONS });

type WireDtype = "float32" | "bfloat16" | "int8";

interface Case {
  readonly channels: number;
  readonly workers: number;
  readonly wireDtype: WireDtype;
  readonly reducers: number;
}

interface Traffic {
  /** Committed steps when it was read. */
  readonly step: number;
  /** Bytes of TCP payload, HTTP/2 and gRPC framing included. */
  readonly received: number;
  readonly sent: number;
}

interface Sized extends Case {
  readonly parameters: number;
  /** Bytes a step. */
  readonly received: number;
  readonly sent: number;
  /** Bytes of memory of all of the coordinator's processes: between two steps, and the most with a save on its way. */
  readonly resident: number;
  readonly peak: number;
  /** Bytes that the run's folder grows by with each step, without checkpoints and snapshots. */
  readonly folder: number;
  readonly checkpoint: number;
}

/** U-Nets of 47.8, 10.6 and 1.5 M parameters. */
const CHANNELS = options.quick ? [64, 24] : [136, 64, 24];
const WORKERS = options.quick ? [1, 4] : [1, 2, 4, 8];
/** Whole steps between two rests: their bytes are the same each time. */
const STEPS = 2;
/** All that the run's folder gets a line of at each step. */
const GROWING = ["ledger.ndjson", "metrics.ndjson"];

const plain = (channels: number, workers: number): Case => ({ channels, workers, wireDtype: "float32", reducers: 1 });
const CASES: readonly Case[] = [
  ...WORKERS.flatMap((workers) => CHANNELS.map((channels) => plain(channels, workers))),
  { ...plain(64, 4), wireDtype: "bfloat16" },
  { ...plain(64, 4), wireDtype: "int8" },
  { ...plain(64, 4), reducers: 2 },
  { ...plain(64, 4), reducers: 4 },
];

/** The coordinator, and its reducers. */
const processesOf = (pid: number): readonly number[] => [pid, ...childrenOf(pid).map((child) => child.pid)];

/** Bytes of a line of /proc/PID/status. */
function statusBytes(pid: number, name: "VmRSS" | "VmHWM"): number {
  const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  return 1024 * Number(kib);
}

const memory = (pid: number, name: "VmRSS" | "VmHWM"): number =>
  processesOf(pid).reduce((sum, each) => sum + statusBytes(each, name), 0);

/** What went over the connections that these processes accepted, by the kernel's own counters. */
function transferred(pids: readonly number[]): Omit<Traffic, "step"> {
  const lines = execFileSync("ss", ["-tinpHO"], { encoding: "utf8", maxBuffer: 1 << 24 }).split("\n");
  const own = lines.filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)));
  const sum = (counter: RegExp) => own.reduce((bytes, line) => bytes + Number(counter.exec(line)?.[1] ?? 0), 0);
  return { received: sum(/bytes_received:(\d+)/), sent: sum(/bytes_acked:(\d+)/) };
}

async function until(client: ControlClient, step: number, phase: string): Promise<number> {
  for (;;) {
    const status = await client.ask("status", {});
    if (status.step >= step && status.phase === phase) return status.step;
    await sleep(20);
  }
}

/** At rest between two steps, so that bytes are of whole steps. */
async function measureLive({ pid, address, out }: LiveRun): Promise<Omit<Sized, keyof Case | "parameters">> {
  const plane = openPlane(undefined, { epochMs: Date.now, onProblem() {} });
  const explain = (error: unknown) => error as Error;
  await using client = controlClient({ address, plane, timeoutMs: 600_000, explain });
  const rest = async (step: number) => {
    await until(client, step, "Training");
    await client.ask("pause", {});
    const at = await until(client, step, "Paused");
    await sleep(200); // acknowledgements of the last bytes
    const folder = GROWING.reduce((bytes, name) => bytes + statSync(join(out, name)).size, 0);
    return { step: at, folder, ...transferred(processesOf(pid)) };
  };
  const before = await rest(1);
  await client.ask("resume", {});
  const after = await rest(before.step + STEPS);
  const resident = memory(pid, "VmRSS");
  await client.ask("checkpoint", {});
  const peak = memory(pid, "VmHWM");
  const saved = readEvents(join(out, "events.ndjson")).map(({ event }) => event);
  const checkpoint = Math.max(...saved.map((event) => (event.kind === "checkpoint" ? event.bytes : 0)));
  await client.ask("stop", {});
  const aStep = (name: "received" | "sent" | "folder") => (after[name] - before[name]) / (after.step - before.step);
  return { received: aStep("received"), sent: aStep("sent"), folder: aStep("folder"), resident, peak, checkpoint };
}

/** On a busy machine nobody is suspect, so that no block is computed and sent twice. */
const PATIENT = { heartbeatSeconds: 20, deadlineSeconds: 600 };

async function size(sized: Case): Promise<Sized> {
  const { channels, workers, wireDtype, reducers } = sized;
  let live: Awaited<ReturnType<typeof measureLive>> | undefined;
  const run = await syntheticRun({
    workers,
    processes: Math.min(workers, 2),
    channels,
    steps: 1_000_000,
    transport: "grpc",
    spec: {
      training: { wireDtype },
      coordinator: { shards: reducers },
      workers: PATIENT,
      checkpoint: { everySteps: 1_000_000, snapshotSeconds: 2 },
    },
    watch: async (each) => {
      live = await measureLive(each);
    },
  });
  return { ...sized, parameters: run.bytes / 4, ...live! };
}

/** Bytes of a gradient's float on the wire. */
const WIRE_BYTES: Readonly<Record<WireDtype, number>> = { float32: 4, bfloat16: 2, int8: 1 + 4 / 256 };

/** Parameters, EMA and AdamW's moments. */
const STATE = 4;
/** checkpoint.bufferMiB of a job that says nothing. */
const BUFFER = 2 ** 30;
const OWN = 180 * 2 ** 20;

/** What README.md says ("Sizing"), in bytes. */
const FORMULAS = {
  received: ({ parameters, workers, wireDtype }: Sized) => WIRE_BYTES[wireDtype] * parameters * workers,
  sent: ({ parameters, workers }: Sized) => 4 * parameters * workers,
  /** The state and a gradient of each worker, a copy of the state on its way to a store, and each process's own. */
  memory: ({ parameters, workers, reducers }: Sized) =>
    4 * parameters * (STATE + workers) +
    Math.min(4 * parameters * STATE, BUFFER) +
    (reducers > 1 ? reducers + 1 : 1) * OWN,
};
const off = (is: number, said: number) => said / is - 1;

const MIB = 2 ** 20;
const mib = (bytes: number) => (bytes / MIB).toFixed(bytes < 100 * MIB ? 1 : 0);
const percent = (share: number) => `${share >= 0 ? "+" : ""}${(100 * share).toFixed(1)} %`;

const HEAD = [
  "M parameters, workers, wire, reducers",
  "MiB in a step",
  "formula",
  "MiB out a step",
  "formula",
  "MiB at rest",
  "MiB at most",
  "formula",
  "bytes a parameter of a checkpoint",
  "bytes of files a step",
];
const rowOf = (each: Sized): readonly string[] => [
  `${(each.parameters / 1e6).toFixed(1)}, ${each.workers}, ${each.wireDtype}, ${each.reducers}`,
  mib(each.received),
  percent(off(each.received, FORMULAS.received(each))),
  mib(each.sent),
  percent(off(each.sent, FORMULAS.sent(each))),
  mib(each.resident),
  mib(each.peak),
  percent(off(each.peak, FORMULAS.memory(each))),
  (each.checkpoint / each.parameters).toFixed(2),
  each.folder.toFixed(0),
];

const all: Sized[] = [];
for (const each of CASES) {
  all.push(await size(each));
  console.error(rowOf(all.at(-1)!).join("  "));
}

console.log(`${machineLine()}\n`);
console.log(markdownTable([HEAD, ...all.map(rowOf)]));
console.log();
const worst = (of: (each: Sized) => number) => Math.max(...all.map((each) => Math.abs(of(each))));
finish("sizing", options.json, {
  ratios: {
    receivedWithinFormula: 1 - worst((each) => off(each.received, FORMULAS.received(each))),
    sentWithinFormula: 1 - worst((each) => off(each.sent, FORMULAS.sent(each))),
    memoryWithinFormula: 1 - worst((each) => off(each.peak, FORMULAS.memory(each))),
  },
  results: all,
});
