// A worker with a defect, made of the real one's parts: what it computes, or what it says of itself, is wrong.
//   flip      one bit of every gradient is wrong, and its digest fits
//   hang      it answers heartbeats and never finishes a block
//   throw     its first block throws
//   canary    its canary has other bits: another numerics class
//   version   it says that it runs another version of plume
//   spec      it was prepared for another job

import { parseArgs } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { systemClock } from "../../shared/clock.ts";
import { parseJob } from "../../shared/config/load.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { createVectorHeap } from "../../shared/kernels/kernels.ts";
import { createLog } from "../../shared/log.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { TrainingClient } from "../../shared/rpc/training-service.ts";
import { ownConnection } from "../../shared/rpc/transport.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { noTracer } from "../../shared/tracing/tracer.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import { type Compute, type ComputeThread, startComputeThread } from "../../worker/compute.ts";
import { createEngine } from "../../worker/engine.ts";
import type { ComputeInit } from "../../worker/messages.ts";
import { createWorkerMeter } from "../../worker/meter.ts";
import { openMonitor } from "../../worker/monitor.ts";
import { runSessions, type WorkerEngine } from "../../worker/session.ts";

const { values } = parseArgs({
  options: {
    coordinator: { type: "string" },
    id: { type: "string" },
    fault: { type: "string" },
    "log-file": { type: "string" },
  },
});
const { coordinator, id, fault } = values;

async function openFaulty(thread: ComputeThread, init: ComputeInit): Promise<Compute> {
  const compute = await thread.open(init);
  if (fault === "flip") {
    const { spec } = parseJob(init.jobYaml);
    const heap = createVectorHeap(buildLayout((await buildNetwork(spec, init.image)).params));
    return {
      ...compute,
      async gradient(...work) {
        const reply = await compute.gradient(...work);
        const [whole] = reply.payload; // float32, one shard
        const words = new Uint32Array(whole!.buffer, whole!.byteOffset, whole!.byteLength / 4);
        words[17]! ^= 1 << 20;
        const copy = heap.allocate();
        copy.floats.set(new Float32Array(whole!.buffer, whole!.byteOffset, whole!.byteLength / 4));
        const digest = heap.digest(copy);
        heap.release(copy);
        return { ...reply, digest };
      },
    };
  }
  if (fault === "hang") return { ...compute, gradient: () => new Promise(() => {}) };
  if (fault === "throw")
    return { ...compute, gradient: () => Promise.reject(new PlumeError("INTERNAL", "the device is on fire")) };
  if (fault === "canary") return { ...compute, canary: async () => "wasm:0123456789abcdef" };
  return compute;
}

async function main(): Promise<void> {
  const log = createLog({ role: "worker", worker: id! }, { file: values["log-file"]! });
  const leave = new AbortController();
  process.on("SIGTERM", () => leave.abort());
  process.on("disconnect", () => process.exit(1));
  await using thread = startComputeThread();
  const openCompute = (init: ComputeInit) => openFaulty(thread, init);
  const meter = createWorkerMeter();
  await using monitor = await openMonitor({ workerId: id!, counts: meter.counts, place: null, log });
  await using engine = createEngine({
    workerId: id!,
    clock: systemClock,
    log,
    tracer: noTracer,
    openCompute,
    meter,
    monitor,
  });
  const other: WorkerEngine = {
    work: engine.work,
    prepare: async (...args) => ({ ...(await engine.prepare(...args)), specDigest: "0".repeat(64) }),
  };
  await runSessions(
    {
      address: coordinator!,
      connect: (address) => new TrainingClient(address, credentials.createInsecure(), ownConnection),
      workerId: id!,
      version: fault === "version" ? "9.9.9" : PLUME_VERSION,
      engine: fault === "spec" ? other : engine,
      log,
      patienceSeconds: 30,
      now: () => systemClock.now(),
      onJoined: () => meter.connected(true),
      onParted: () => meter.connected(false),
      onProductive: () => {},
    },
    leave.signal,
  );
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${describeError(error)}\n`);
    process.exit(error instanceof PlumeError ? error.exitCode : 1);
  },
);
