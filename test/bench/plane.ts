// npm run bench:plane -- how fast 64 MiB of float32 moves between two processes: gRPC as workers and coordinator use it,
// a file on tmpfs, raw HTTP/2, and gloo's all-reduce when PyTorch is there. [--mib 64] [--runs 7] [--json]

import { type ChildProcess, fork } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { type PushHeader, VectorKind, WorkKind } from "../../proto/gen/plume/v1/training.ts";
import { invariant } from "../../shared/invariant.ts";
import { chunksOf, writeMessage } from "../../shared/rpc/call.ts";
import { SHM_ROOT } from "../../shared/rpc/shm.ts";
import { TrainingClient } from "../../shared/rpc/training-service.ts";
import { channelOptions } from "../../shared/rpc/transport.ts";
import { downloadRaw, openRaw, uploadRaw } from "./http2-raw.ts";
import { machine, machineLine, markdownTable, runTorch, type Summary, spread, summarise } from "./measure.ts";
import type { PeerMessage } from "./plane-peer.ts";

const { values: options } = parseArgs({
  options: {
    mib: { type: "string", default: "64" },
    runs: { type: "string", default: "7" },
    json: { type: "boolean", default: false },
  },
});
const bytes = Number(options.mib) * 2 ** 20;
const runs = Number(options.runs);
/** The first transfers grow windows and compile code. */
const WARMUP = 2;

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
  shmFile: "",
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

/** Written here, read into shared memory there; the two are timed together. */
async function throughFile(peer: ChildProcess, folder: string, payload: Uint8Array): Promise<void> {
  const file = join(folder, "vector.f32");
  await writeFile(`${file}.tmp`, payload);
  await rename(`${file}.tmp`, file);
  const answer = nextMessage(peer);
  peer.send(file);
  const read = await answer;
  invariant(read.kind === "read" && read.bytes === bytes, "the file was read whole");
  rmSync(file);
}

function nextMessage(peer: ChildProcess): Promise<PeerMessage> {
  return new Promise((resolve, reject) => {
    peer.once("message", (message) => resolve(message as PeerMessage));
    peer.once("exit", (code) => reject(new Error(`the peer ended with ${code}`)));
  });
}

/** GB/s of so many runs, after the warm-up. */
async function measure(transfer: () => Promise<void>): Promise<Summary> {
  const rates: number[] = [];
  for (let run = -WARMUP; run < runs; run++) {
    const started = performance.now();
    await transfer();
    if (run >= 0) rates.push(bytes / 1e6 / (performance.now() - started));
  }
  return summarise(rates);
}

async function measureAll(): Promise<[string, Summary][]> {
  const peerFile = fileURLToPath(new URL("plane-peer.ts", import.meta.url));
  const peer = fork(peerFile, [String(bytes)], { execArgv: ["--import", "tsx"] });
  const folder = mkdtempSync(join(existsSync(SHM_ROOT) ? SHM_ROOT : tmpdir(), "plume-bench-"));
  try {
    const ready = await nextMessage(peer);
    invariant(ready.kind === "ready", "the peer says its ports first");
    const vector = new Uint8Array(new SharedArrayBuffer(bytes)).fill(3);
    const client = new TrainingClient(`127.0.0.1:${ready.grpcPort}`, credentials.createInsecure(), channelOptions);
    const raw = openRaw(ready.rawPort);
    const rows: [string, Summary][] = [
      ["gRPC push (client stream)", await measure(() => pushGrpc(client, vector))],
      ["gRPC pull (server stream)", await measure(() => pullGrpc(client, vector))],
      ["raw HTTP/2 upload", await measure(() => uploadRaw(raw, vector))],
      ["raw HTTP/2 download", await measure(() => downloadRaw(raw, vector))],
      ["tmpfs file, write + read", await measure(() => throughFile(peer, folder, vector))],
    ];
    client.close();
    raw.close();
    return rows;
  } finally {
    peer.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

const started = machine();
const rows = await measureAll();
const gloo = runTorch<{ readonly seconds: readonly number[]; readonly torch: string }>(
  "gloo_all_reduce.py",
  "--mib",
  options.mib,
  "--runs",
  options.runs,
);
if ("result" in gloo)
  rows.push([
    `gloo all-reduce, 2 processes (PyTorch ${gloo.result.torch})`,
    summarise(gloo.result.seconds.map((seconds) => bytes / 1e9 / seconds)),
  ]);

if (options.json) {
  const missing = "missing" in gloo ? gloo.missing : "";
  console.log(JSON.stringify({ machine: started, bytes, gigabytesPerSecond: Object.fromEntries(rows), missing }));
} else {
  console.log(`${machineLine()}\n`);
  const head = [`${options.mib} MiB, ${runs} runs`, "GB/s, median (min to max)"];
  console.log(markdownTable([head, ...rows.map(([name, summary]) => [name, spread(summary, 2)])]));
  if ("missing" in gloo) console.log(`\nno gloo: ${gloo.missing}`);
}
