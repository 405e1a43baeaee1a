// npm run bench:plane -- what a step's bytes cost: 64 MiB of gradients from each of n workers summed, AdamW and EMA, and
// the parameters back, in a real run whose workers have their gradients ready, beside gloo's all-reduce alone; the
// coordinator's optimizer beside memcpy; and gRPC beside raw HTTP/2. [--quick] [--json FILE]

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type PushHeader, VectorKind, WorkKind } from "../../proto/gen/plume/v1/training.ts";
import { invariant } from "../../shared/invariant.ts";
import { openReducer } from "../../shared/kernels/open-reducer.ts";
import { chunksOf, writeMessage } from "../../shared/rpc/call.ts";
import { SHM_ROOT } from "../../shared/rpc/shm.ts";
import { openPlane } from "../../shared/rpc/tls/plane.ts";
import { TrainingClient } from "../../shared/rpc/training-service.ts";
import { channelOptions } from "../../shared/rpc/transport.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { consecutive, readRegions, writeRegions } from "../../shared/tensor/regions.ts";
import { authority } from "../support/certificates.ts";
import { downloadRaw, openRaw, uploadRaw } from "./http2-raw.ts";
import {
  COMMON_OPTIONS,
  finish,
  machineLine,
  markdownTable,
  runTorch,
  type Summary,
  spread,
  summarise,
} from "./measure.ts";
import { copySpeed } from "./memory.ts";
import type { PeerMessage } from "./plane-peer.ts";
import { type SyntheticRun, syntheticRun } from "./synthetic-run.ts";

const { values: options } = parseArgs({ options: COMMON_OPTIONS });
const bytes = 64 * 2 ** 20;
const runs = options.quick ? 5 : 15;
/** The first transfers grow windows and compile code. */
const WARMUP = 3;
/** A U-Net whose flat vector is 63.2 MiB. */
const CHANNELS = 80;

function pushGrpc(client: TrainingClient, payload: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = client.push((error, response) => {
      if (error) return reject(error);
      if (response.reason !== String(bytes)) return reject(new Error(`${response.reason} of ${bytes} bytes arrived`));
      resolve();
    });
    const send = async () => {
      await writeMessage(call, { part: { $case: "header", value: header } });
      for (const chunk of chunksOf(payload))
        await writeMessage(call, { part: { $case: "chunk", value: chunk as Buffer } });
      call.end();
    };
    send().catch(reject);
  });
}

const header: PushHeader = {
  workerId: "bench",
  tuple: { job: "bench", incarnation: 1, step: 0, attempt: 0 },
  lo: 0,
  hi: 1,
  kind: WorkKind.WORK_KIND_GRADIENT,
  bytes,
  digest: "",
  losses: [],
  ids: [],
  skipped: [],
  shmFile: "",
  spread: false,
  seconds: {},
};

async function pullGrpc(client: TrainingClient, target: Uint8Array): Promise<void> {
  const vector = VectorKind.VECTOR_KIND_PARAMS;
  const call = client.pull({ job: "bench", incarnation: 1, vector, version: 0, shard: 0 });
  let at = 0;
  for await (const { chunk } of call as AsyncIterable<{ chunk: Uint8Array }>) {
    target.set(chunk, at);
    at += chunk.byteLength;
  }
  invariant(at === bytes, `${at} of ${bytes} bytes arrived`);
}

function nextMessage(peer: ChildProcess): Promise<PeerMessage> {
  return new Promise((resolve, reject) => {
    peer.once("message", (message) => resolve(message as PeerMessage));
    peer.once("exit", (code) => reject(new Error(`the peer ended with ${code}`)));
  });
}

/** Gigabytes a second of several ways, in turn, so that a busy second hits all of them. */
async function inTurn(ways: Readonly<Record<string, () => Promise<void>>>): Promise<Record<string, Summary>> {
  const rates: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (let run = -WARMUP; run < runs; run++)
    for (const [name, transfer] of Object.entries(ways)) {
      const started = performance.now();
      await transfer();
      if (run >= 0) rates[name]!.push(bytes / 1e6 / (performance.now() - started));
    }
  return Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, summarise(values)]));
}

/** @param tls the folder of certificates for both sides. */
async function startPeer(tls: string | undefined) {
  const env = { ...process.env, ...(tls && { PLUME_TLS: tls }) };
  const peer = fork(join(dirname(process.argv[1]!), "bench-plane-peer.mjs"), [String(bytes)], { env });
  const { grpcPort, rawPort } = await nextMessage(peer);
  const address = `localhost:${grpcPort}`;
  const plane = openPlane(tls, { epochMs: Date.now, onProblem() {} });
  return { peer, rawPort, client: new TrainingClient(address, ...plane.client(address, channelOptions)) };
}

async function oneWay() {
  const folder = mkdtempSync(join(SHM_ROOT, "plume-bench-"));
  const plain = await startPeer(undefined);
  const secure = await startPeer(authority(join(folder, "authority"), "bench").issue(join(folder, "tls")));
  try {
    const vector = new Uint8Array(new SharedArrayBuffer(bytes)).fill(3);
    const raw = openRaw(plain.rawPort);
    const file = join(folder, "vector");
    const rates = await inTurn({
      "gRPC push": () => pushGrpc(plain.client, vector),
      "raw HTTP/2 upload": () => uploadRaw(raw, vector),
      "gRPC pull": () => pullGrpc(plain.client, vector),
      "raw HTTP/2 download": () => downloadRaw(raw, vector),
      "gRPC push with TLS": () => pushGrpc(secure.client, vector),
      "gRPC pull with TLS": () => pullGrpc(secure.client, vector),
      "tmpfs, written and read": async () => {
        await writeRegions(file, consecutive([vector]));
        await readRegions(file, consecutive([vector]));
      },
    });
    for (const { client } of [plain, secure]) client.close();
    raw.close();
    return rates;
  } finally {
    for (const { peer } of [plain, secure]) peer.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** GB/s of memory traffic: AdamW and EMA of 256 MiB of parameters, and memcpy of the bytes that they must touch. */
async function optimizer() {
  const floats = 64 * 2 ** 20;
  const shards = 16;
  const layout = buildLayout(
    Array.from({ length: shards }, (_, i) => ({
      name: `p${i}`,
      shape: [floats / shards],
      init: { kind: "zeros" } as const,
    })),
  );
  await using reducer = await openReducer({ layout, optimizer: "adamw", maxVectors: 1 });
  const gradient = reducer.allocate();
  for (const { index } of layout.shards)
    for (const vector of [gradient, reducer.params]) vector.shard(index).fill(1e-3);
  // Reads p, g, m, v and the EMA once, writes all but g once: what no implementation can do without.
  const touched = 9 * floats * 4;
  const rates: number[] = [];
  const copies: number[] = [];
  for (let run = -1; run < (options.quick ? 3 : 9); run++) {
    const started = performance.now();
    await reducer.optimize(gradient, { ...ADAMW, count: run + 2 });
    await reducer.updateEma(0.999);
    if (run >= 0) rates.push(touched / 1e6 / (performance.now() - started));
    if (run >= 0) copies.push((await copySpeed(touched / 2 / 4, availableParallelism(), 1)).median);
  }
  return { "AdamW and EMA": summarise(rates), memcpy: summarise(copies) };
}

const ADAMW = {
  type: "adamw",
  lr: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0.01,
  gradientScale: 1,
} as const;

interface Gloo {
  readonly seconds: readonly number[];
  readonly torch: string;
}

/** How gradients travel; parameters come back as float32. The first is what is compared with gloo. */
const WAYS = [
  { transport: "shm", wireDtype: "float32", shards: 1 },
  { transport: "grpc", wireDtype: "float32", shards: 1 },
  { transport: "shm", wireDtype: "bfloat16", shards: 1 },
  { transport: "grpc", wireDtype: "bfloat16", shards: 1 },
  { transport: "shm", wireDtype: "int8", shards: 1 },
  { transport: "grpc", wireDtype: "int8", shards: 1 },
  { transport: "shm", wireDtype: "float32", shards: 2 },
  { transport: "grpc", wireDtype: "float32", shards: 2 },
] as const;

async function round(workers: number) {
  const steps = options.quick ? 5 : 15;
  const runs: (SyntheticRun | null)[] = [];
  for (const [i, { transport, wireDtype, shards }] of WAYS.entries()) {
    const spec = { training: { wireDtype }, coordinator: { shards } };
    const wanted = !options.quick || i === 0 || (i === 1 && workers === 2);
    runs.push(
      wanted ? await syntheticRun({ workers, processes: workers, channels: CHANNELS, steps, transport, spec }) : null,
    );
  }
  const gloo = runTorch<Gloo>("gloo_all_reduce.py", [
    "--mib",
    String(runs[0]!.bytes / 2 ** 20),
    "--size",
    String(workers),
    "--runs",
    String(steps),
  ]);
  return { workers, runs, gloo };
}

const rates = await oneWay();
const memory = await optimizer();
const rounds = [await round(2), await round(4)];

const glooOf = ({ gloo }: (typeof rounds)[number]) =>
  "result" in gloo ? summarise(gloo.result.seconds.map((seconds) => seconds * 1000)) : null;
const versusGloo = (each: (typeof rounds)[number], way: number) => {
  const gloo = glooOf(each);
  const run = each.runs[way];
  return gloo && run ? gloo.median / run.parts.total!.median : undefined;
};

/** Of one way over another, with two workers. */
const speedup = (from: number, to: number) => {
  const [one, other] = [rounds[0]!.runs[from], rounds[0]!.runs[to]];
  return one && other ? one.parts.total!.median / other.parts.total!.median : undefined;
};

console.log(`${machineLine()}\n`);
console.log(
  markdownTable([
    ["64 MiB one way", "GB/s, median (min to max)"],
    ...Object.entries({ ...rates, ...memory }).map(([name, summary]) => [name, spread(summary, 2)]),
  ]),
);
console.log();
const mib = rounds[0]!.runs[0]!.bytes / 2 ** 20;
console.log(
  markdownTable([
    [
      `${mib.toFixed(1)} MiB from each, summed, AdamW, EMA, and back`,
      ...rounds.map(({ workers }) => `n = ${workers}, ms`),
    ],
    ...WAYS.map(({ transport, wireDtype, shards }, way) => [
      `plume, ${transport === "shm" ? "shared memory" : "gRPC"}, ${wireDtype}${shards > 1 ? `, ${shards} reducers` : ""}`,
      ...rounds.map(({ runs }) => (runs[way] ? spread(runs[way].parts.total!, 0) : "-")),
    ]),
    ["gloo all-reduce alone", ...rounds.map((each) => (glooOf(each) ? spread(glooOf(each)!, 0) : "-"))],
  ]),
);
console.log();
finish("plane", options.json, {
  ratios: {
    planeVsGloo: versusGloo(rounds[0]!, 0),
    planeVsGloo4: versusGloo(rounds[1]!, 0),
    grpcPlaneVsGloo: versusGloo(rounds[0]!, 1),
    bfloat16PlaneVsGloo: versusGloo(rounds[0]!, 2),
    int8PlaneVsGloo: versusGloo(rounds[0]!, 4),
    twoReducersVsOne: speedup(0, 6),
    twoReducersVsOneGrpc: speedup(1, 7),
    grpcVsHttp2: Math.min(
      rates["gRPC push"]!.median / rates["raw HTTP/2 upload"]!.median,
      rates["gRPC pull"]!.median / rates["raw HTTP/2 download"]!.median,
    ),
    grpcPushVsHttp2: rates["gRPC push"]!.median / rates["raw HTTP/2 upload"]!.median,
    grpcPullVsHttp2: rates["gRPC pull"]!.median / rates["raw HTTP/2 download"]!.median,
    optimizerVsMemcpy: memory["AdamW and EMA"].median / memory.memcpy.median,
  },
  results: { rates, memory, rounds },
  missing: rounds.flatMap(({ gloo }) => ("missing" in gloo ? [gloo.missing] : [])).slice(0, 1),
});
