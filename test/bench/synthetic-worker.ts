// Workers that compute nothing: sessions, leases, transfers and digests are the real ones, the gradient is ready before
// it is asked for. What a step then takes is what the coordinator and the data plane cost.
//   bench-synthetic-worker --coordinator HOST:PORT --first 0 --count 2 [--compute-ms 1000]

import { parseArgs } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { sleep, systemClock } from "../../shared/clock.ts";
import { parseJob } from "../../shared/config/load.ts";
import { describeError } from "../../shared/errors.ts";
import { createVectorHeap, type VectorHeap } from "../../shared/kernels/kernels.ts";
import { silentLog } from "../../shared/log.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { TrainingClient } from "../../shared/rpc/training-service.ts";
import { ownConnection } from "../../shared/rpc/transport.ts";
import { buildLayout, type Layout } from "../../shared/tensor/layout.ts";
import { noTracer } from "../../shared/tracing/tracer.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import { openWire } from "../../shared/wire/index.ts";
import type { Compute } from "../../worker/compute.ts";
import { createEngine } from "../../worker/engine.ts";
import type { ComputeInit } from "../../worker/messages.ts";
import { createWorkerMeter } from "../../worker/meter.ts";
import { openMonitor } from "../../worker/monitor.ts";
import { runSessions } from "../../worker/session.ts";

const { values } = parseArgs({
  options: {
    coordinator: { type: "string" },
    first: { type: "string", default: "0" },
    count: { type: "string", default: "1" },
    // As a device would compute that leaves the host's cores alone.
    "compute-ms": { type: "string", default: "0" },
  },
});

/** One network and one ready gradient a process: its workers only differ in name. */
let made: { readonly layout: Layout; readonly heap: VectorHeap } | null = null;

async function openReady({ jobYaml, image }: ComputeInit): Promise<Compute> {
  if (!made) {
    const { spec } = parseJob(jobYaml);
    const layout = buildLayout((await buildNetwork(spec, image)).params);
    made = { layout, heap: createVectorHeap(layout, openWire(spec.training, spec.seed)) };
  }
  const { layout, heap } = made;
  const sum = heap.allocate();
  for (let i = 0; i < layout.size; i++) sum.floats[i] = ((i * 2654435761) % 1024) * 1e-6;
  heap.round(sum, { step: 0, block: { lo: 0, hi: 1 } });
  const digest = heap.digest(sum);
  const payload = heap.encode(sum);
  const landing = heap.allocate();
  return {
    ready: { kind: "ready", id: 0, backend: "wasm", device: "none", layout, landing: landing.floats },
    canary: async () => "wasm:synthetic",
    async load(wanted) {
      const arrived = heap.digest(landing);
      if (arrived !== wanted) throw new Error(`the parameters arrived with digest ${arrived}, not ${wanted}`);
    },
    async gradient(_step, _block, batches, _weights, onProgress) {
      await sleep(Number(values["compute-ms"]));
      onProgress(batches.length, 0);
      return {
        kind: "gradient",
        id: 0,
        payload,
        digest,
        losses: batches.map(() => 1),
        seconds: { compute: 0 },
        device: { tensors: 0, tensorBytes: 0, usedBytes: 0 },
      };
    },
    sample: () => Promise.reject(new Error("a synthetic worker draws nothing")),
    release() {},
  };
}

async function work(id: string): Promise<void> {
  const meter = createWorkerMeter();
  await using monitor = await openMonitor({ workerId: id, counts: meter.counts, place: null, log: silentLog });
  await using engine = createEngine({
    workerId: id,
    clock: systemClock,
    log: silentLog,
    tracer: noTracer,
    openCompute: openReady,
    meter,
    monitor,
  });
  await runSessions(
    {
      address: values.coordinator!,
      connect: (address) => new TrainingClient(address, credentials.createInsecure(), ownConnection),
      workerId: id,
      version: PLUME_VERSION,
      engine,
      log: silentLog,
      patienceSeconds: 600,
      now: () => systemClock.now(),
      onJoined: () => meter.connected(true),
      onParted: () => meter.connected(false),
      onProductive: () => {},
    },
    new AbortController().signal,
  );
}

process.on("disconnect", () => process.exit(1));
const first = Number(values.first);
Promise.all(Array.from({ length: Number(values.count) }, (_, k) => work(`synthetic-${first + k}`))).then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${describeError(error)}\n`);
    process.exit(1);
  },
);
