// Shards in this process: each kernel thread has one memory and runs one command at a time. The main thread hands out
// commands and copies bytes in and out; it never computes.
//
// I1. Commands of one thread run in the order given.

import { Worker } from "node:worker_threads";
import { PlumeError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import { createRequests } from "../requests.ts";
import { asset } from "../root.ts";
import type { Shard } from "../tensor/layout.ts";
import { fillRegions, readRegions, writeRegions } from "../tensor/regions.ts";
import { addressesOf, type KernelCall, type KernelResult, type Region, type ShardGroup } from "./group.ts";
import { createSharedMemory, ensureCapacity } from "./kernels.ts";

export interface LocalGroup extends ShardGroup {
  /** The bytes themselves, on shared memory. */
  view(region: Omit<Region, "position">): Uint8Array;
}

export function openLocalGroup(shards: readonly Shard[], threads: number): LocalGroup {
  const count = Math.max(1, Math.min(threads, shards.length));
  const addresses = addressesOf(shards, count);
  const kernels = Array.from({ length: count }, () => startThread());
  const shardAt = new Map(shards.map((shard) => [shard.index, shard]));

  const view: LocalGroup["view"] = ({ shard, pointer, bytes }) =>
    new Uint8Array(kernels[addresses.thread(shardAt.get(shard)!)]!.memory.buffer, pointer, bytes);
  const placed = (regions: readonly Region[]) =>
    regions.map((region) => ({ region: view(region), position: region.position }));

  return {
    shards,
    threads: count,
    view,
    reserve(vectors) {
      kernels.forEach(({ memory }, thread) => ensureCapacity(memory, addresses.capacity(vectors, thread)));
    },

    async run(calls) {
      const results: KernelResult[] = [];
      await Promise.all(
        kernels.map(async ({ run }, thread) => {
          const mine = calls.flatMap((of, j) => (j % count === thread ? [{ of, j }] : []));
          const values = await run(mine.flatMap(({ of }) => of));
          let last = -1;
          for (const { of, j } of mine) {
            last += of.length;
            results[j] = values[last];
          }
        }),
      );
      return results;
    },

    fill(regions, source) {
      invariant(source.kind !== "push", "a push comes to the process that holds the memory");
      if (source.kind === "file") return readRegions(source.file, placed(regions));
      return fillRegions(source.chunks, regions.map(view));
    },
    save: (regions, file) => writeRegions(file, placed(regions)),
    async read(regions, into) {
      for (const region of regions) into.set(view(region), region.position);
    },
    async write(regions, bytes) {
      for (const region of regions) view(region).set(bytes.subarray(region.position, region.position + region.bytes));
    },

    async [Symbol.asyncDispose]() {
      await Promise.all(kernels.map(({ close }) => close()));
    },
  };
}

interface KernelThread {
  readonly memory: WebAssembly.Memory;
  run(calls: readonly KernelCall[]): Promise<KernelResult[]>;
  close(): Promise<void>;
}

function startThread(): KernelThread {
  const memory = createSharedMemory(65536);
  // Nothing of the parent's loader: the thread is plain JavaScript.
  const worker = new Worker(asset("shared/kernels/thread.mjs"), { workerData: { memory }, execArgv: [] });
  worker.unref();
  const requests = createRequests<KernelResult[]>();
  worker.on("error", requests.end);
  worker.on("exit", () => requests.end(new PlumeError("INTERNAL", "a kernel thread ended")));
  worker.on("message", ({ id, results, error }: { id: number; results: KernelResult[]; error?: string }) => {
    if (error) requests.reject(id, new PlumeError("INTERNAL", `a kernel failed: ${error}`));
    else requests.resolve(id, results);
    if (requests.waiting === 0) worker.unref();
  });
  return {
    memory,
    run: (calls) =>
      requests.ask((id) => {
        worker.ref();
        worker.postMessage({ id, calls });
      }),
    async close() {
      requests.end(new PlumeError("UNAVAILABLE", "the reducer is closed"));
      await worker.terminate();
    },
  };
}
