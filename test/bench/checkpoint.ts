// npm run bench:checkpoint -- what saving costs training, and what a store and a disk give: the stall of a save in a real
// run whose workers compute nothing; upload beside the SDK's bare PutObject; verification beside sha256 alone on one
// thread; a resume by size; memory beside its bound. [--quick] [--json FILE]

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { type Buffers, createBuffers } from "../../coordinator/checkpointing/buffers.ts";
import { beginCapture } from "../../coordinator/checkpointing/capture.ts";
import { faultsOf } from "../../shared/checkpoint/faults.ts";
import { objectsOf } from "../../shared/checkpoint/objects.ts";
import { listCheckpoints, useCheckpoint } from "../../shared/checkpoint/read.ts";
import { type CheckpointHead, writeParts } from "../../shared/checkpoint/write.ts";
import { parseJob } from "../../shared/config/load.ts";
import { invariant } from "../../shared/invariant.ts";
import { type LocalReducer, openReducer } from "../../shared/kernels/open-reducer.ts";
import { inParallel } from "../../shared/parallel.ts";
import { initialise, restore } from "../../shared/pipeline/initial-state.ts";
import { fileStore } from "../../shared/store/file.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { openStore } from "../../shared/store/open.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { startS3Server } from "../support/s3-server.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable, type Summary, spread, summarise } from "./measure.ts";
import { syntheticRun } from "./synthetic-run.ts";

const { values: options } = parseArgs({ options: COMMON_OPTIONS });
const GB = 1e9;
const job = parseJob("metadata: { name: bench }\nspec: { data: { source: 'shapes:100' } }");
const set = { name: "shapes:100", size: 100, digest: "d", height: 8, width: 8, channels: 1, classes: [] };
const runs = options.quick ? 2 : 5;
/** checkpoint.bufferMiB of a job that says nothing. */
const BOUND = 1024 << 20;
/** About 100 M parameters. */
const LARGE_CHANNELS = 200;
/** A step of such a network on a device. */
const DEVICE_MS = 1000;

/** A reducer with so many parameters, in tensors of a megabyte. */
async function openState(parameters: number): Promise<{ reducer: LocalReducer; head: CheckpointHead; bytes: number }> {
  const floats = Math.min(parameters, 250_000);
  const specs = Array.from({ length: Math.round(parameters / floats) }, (_, i) => ({
    name: `w${i}`,
    shape: [floats],
    init: { kind: "normal" as const, scale: 1 },
  }));
  const layout = buildLayout(specs);
  const reducer = await openReducer({ layout, optimizer: "adamw", maxVectors: 1 });
  await initialise(reducer, job.spec, {});
  return { reducer, head: { job, layout, step: 1, set }, bytes: 16 * layout.parameters };
}

/** @param buffers kept from save to save, as a run keeps them: what is timed is not the first touch of their memory. */
async function save(reducer: LocalReducer, head: CheckpointHead, store: ObjectStore, buffers: Buffers) {
  const capture = beginCapture(reducer, buffers);
  const started = performance.now();
  await writeParts(store, head, capture.parts);
  const seconds = (performance.now() - started) / 1000;
  invariant(buffers.peak <= buffers.limit, "the bound holds");
  return seconds;
}

const timed = async (act: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await act();
  return (performance.now() - started) / 1000;
};

/** Every save of a run beside its steps. */
async function stall(
  channels: number,
  channelMult: readonly number[],
  steps: number,
  everySteps: number,
  computeMs = 0,
) {
  const run = await syntheticRun({
    computeMs,
    workers: 2,
    processes: 1,
    channels,
    channelMult,
    steps,
    transport: "shm",
    // Room for the whole state: what is measured is the copy, not the wait for a store that is slower than training.
    spec: { checkpoint: { everySteps, keep: 1, snapshotSeconds: 0, bufferMiB: 4096 } },
  });
  return {
    parameters: run.bytes / 4,
    computeMs,
    saves: run.stallsMs.length,
    step: run.parts.total!,
    stall: summarise(run.stallsMs),
  };
}

async function disk(folder: string, parameters: number) {
  const { reducer, head, bytes } = await openState(parameters);
  await using _ = reducer;
  const store = fileStore(folder);
  const written: number[] = [];
  const resumed: number[] = [];
  const verified: number[] = [];
  const buffers = createBuffers(BOUND);
  for (let run = -1; run < runs; run++) {
    rmSync(folder, { recursive: true, force: true });
    const seconds = await save(reducer, head, store, buffers);
    if (run < 0) continue;
    written.push(bytes / GB / seconds);
    resumed.push(await timed(() => useCheckpoint(store, 1, (checkpoint) => restore(reducer, checkpoint))));
    const [listed] = await listCheckpoints(store);
    verified.push(
      bytes /
        GB /
        (await timed(async () =>
          invariant((await faultsOf(store, objectsOf(listed!.manifest))).length === 0, "whole"),
        )),
    );
  }
  return {
    bytes,
    peakMiB: buffers.peak / 2 ** 20,
    written: summarise(written),
    resumed: summarise(resumed),
    verified: summarise(verified),
  };
}

/** sha256 of the same bytes in memory, on one thread. */
function hashSpeed(): Summary {
  const bytes = Buffer.alloc(64 << 20, 7);
  const rates = Array.from({ length: runs }, () => {
    const started = performance.now();
    createHash("sha256").update(bytes).digest();
    return bytes.byteLength / 1e6 / (performance.now() - started);
  });
  return summarise(rates);
}

interface S3Speed {
  readonly plume: Summary;
  readonly bare: Summary;
}

/** A save's parts, and the SDK's own PutObject of as many bytes in as many pieces as many at once, in turn. */
async function upload(parameters: number): Promise<S3Speed> {
  await using server = await startS3Server();
  Object.assign(process.env, server.env);
  const { reducer, head, bytes } = await openState(parameters);
  await using _ = reducer;
  const store = await openStore(`s3://${server.bucket}/bench`, { endpoint: server.endpoint });
  const piece = Buffer.alloc(8 << 20, 7);
  const pieces = Array.from({ length: Math.round(bytes / piece.length) }, (_, i) => `bare/${i}`);
  const put = (Key: string) =>
    server.client.send(new PutObjectCommand({ Bucket: server.bucket, Key, Body: piece })).then(() => {});
  const plume: number[] = [];
  const bare: number[] = [];
  const buffers = createBuffers(BOUND);
  for (let run = -1; run < runs; run++) {
    const ours = await save(reducer, { ...head, step: run + 2 }, store, buffers);
    const theirs = await timed(() => inParallel(pieces, 4, put));
    if (run < 0) continue;
    plume.push(bytes / GB / ours);
    bare.push((pieces.length * piece.length) / GB / theirs);
  }
  return { plume: summarise(plume), bare: summarise(bare) };
}

console.log(machineLine());
const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
try {
  // Steps that compute nothing are the shortest there are: the share of a real one is smaller.
  const { quick } = options;
  const stalls = [await stall(24, [1, 2], quick ? 60 : 200, 10)];
  // Seldom enough that the store has taken one save before the next begins.
  const large = [quick ? 80 : LARGE_CHANNELS, [1, 2, 4], quick ? 12 : 30, quick ? 4 : 6] as const;
  for (const computeMs of [0, DEVICE_MS]) stalls.push(await stall(...large, computeMs));
  console.log("\n### A save beside steps, whose workers compute nothing or leave the host's cores alone\n");
  const share = ({ stall, step }: (typeof stalls)[number]) => stall.median / step.median;
  console.log(
    markdownTable([
      ["parameters", "compute, ms", "saves", "step, ms", "training waits a save, ms", "of a step"],
      ...stalls.map((each) => [
        `${(each.parameters / 1e6).toFixed(1)} M`,
        String(each.computeMs),
        String(each.saves),
        spread(each.step, 1),
        spread(each.stall, 2),
        `${(100 * share(each)).toFixed(1)} %`,
      ]),
    ]),
  );

  const hash = hashSpeed();
  const disks = [];
  for (const parameters of options.quick ? [1e6, 10e6] : [1e6, 10e6, 100e6])
    disks.push(await disk(join(folder, "store"), parameters));
  console.log("\n### A file:// store, GB/s, and a resume\n");
  console.log(
    markdownTable([
      ["bytes of a checkpoint", "written", "verified", "resume, s", "most memory of copies, MiB"],
      ...disks.map(({ bytes, written, verified, resumed, peakMiB }) => [
        `${(bytes / 1e6).toFixed(0)} MB`,
        spread(written, 2),
        spread(verified, 2),
        spread(resumed, 2),
        peakMiB.toFixed(0),
      ]),
    ]),
  );
  console.log(`\nsha256 alone, one thread: ${spread(hash, 2)} GB/s`);

  const missing: string[] = [];
  const s3 = await upload(options.quick ? 8e6 : 25e6).catch((error: Error) => void missing.push(error.message));
  if (s3) {
    console.log("\n### s3:// on loopback, GB/s\n");
    console.log(
      markdownTable([
        ["", "GB/s, median (min to max)"],
        ["plume, a save's parts, hashed", spread(s3.plume, 2)],
        ["the SDK's PutObject of 8 MiB, 4 at once", spread(s3.bare, 2)],
      ]),
    );
  }
  const largest = disks.at(-1)!;
  finish("checkpoint", options.json, {
    ratios: {
      "verify / sha256 alone": largest.verified.median / hash.median,
      "upload / bare PutObject": s3 ? s3.plume.median / s3.bare.median : undefined,
      "5 % / stall of a step, quickstart's size": 0.05 / share(stalls[0]!),
      "5 % / stall of a step, large": 0.05 / share(stalls[2]!),
    },
    results: { stalls, disks, hash, s3 },
    missing,
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
