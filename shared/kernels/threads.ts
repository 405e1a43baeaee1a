// The reducer on threads: shard s lives in the memory of thread s mod T and only that thread computes on it. The main
// thread hands out commands and copies bytes in and out; it never computes.
//
// I1. Results do not depend on T: kernels work per shard, and what is folded over shards is folded in index order.
// I2. Commands of one thread run in the order given; a command of all threads resolves when the last one is done.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { PlumeError } from "../errors.ts";
import { OPTIMIZERS, type OptimizerType } from "../optim/optimizers.ts";
import { asset } from "../root.ts";
import type { Layout, Shard } from "../tensor/layout.ts";
import { EXACT, type Wire } from "../wire/index.ts";
import { chainDigests, createSharedMemory, ensureCapacity } from "./kernels.ts";
import type { OptimizerStep, Reducer, Vector } from "./reducer.ts";

type KernelArgument = number | bigint | boolean;
type KernelCall = readonly [name: string, ...args: KernelArgument[]];
type KernelResult = number | bigint | undefined;

interface KernelThread {
  run(calls: readonly KernelCall[]): Promise<KernelResult[]>;
  readonly memory: WebAssembly.Memory;
  close(): Promise<void>;
}

export interface ReducerOptions {
  readonly layout: Layout;
  readonly optimizer: OptimizerType;
  /** Vectors that allocate() may hand out at once. */
  readonly maxVectors: number;
  /** How gradients travel; as they are when absent. */
  readonly wire?: Wire;
  /** Default: one a core, at most one a shard. */
  readonly threads?: number;
}

export async function openReducer({
  layout,
  optimizer,
  maxVectors,
  wire = EXACT,
  threads: wanted,
}: ReducerOptions): Promise<Reducer> {
  const count = Math.max(1, Math.min(wanted ?? availableParallelism(), layout.shards.length));
  const threads = Array.from({ length: count }, () => startThread());
  const threadOf = (shard: Shard) => threads[shard.index % count]!;

  // In each memory a vector is the run of its shards, and vectors follow one another.
  const startInVector = new Map<number, number>();
  const bytesPerVector = threads.map(() => 0);
  for (const shard of layout.shards) {
    startInVector.set(shard.index, bytesPerVector[shard.index % count]!);
    bytesPerVector[shard.index % count]! += shard.size * 4;
  }
  const pointer = (vector: Vector, shard: Shard) =>
    16 + vector.id * bytesPerVector[shard.index % count]! + startInVector.get(shard.index)!;

  const place = (vector: Vector, shard: Shard) => ({ ...shard, pointer: pointer(vector, shard) });

  const free: Vector[] = [];
  let made = 0;
  const { moments: names } = OPTIMIZERS[optimizer];
  const limit = maxVectors + 2 + names.length;

  const make = (): Vector => {
    const id = made++;
    threads.forEach((thread, t) => ensureCapacity(thread.memory, 16 + (id + 1) * bytesPerVector[t]!));
    const vector: Vector = {
      id,
      shard: (index) => {
        const shard = layout.shards[index]!;
        return new Float32Array(threadOf(shard).memory.buffer, pointer(vector, shard), shard.size);
      },
    };
    return vector;
  };

  /** Runs some kernels on every shard. @returns the result of the last one, by shard. */
  const onShards = async (...kernels: ((shard: Shard) => readonly KernelCall[])[]): Promise<KernelResult[]> => {
    const results: KernelResult[] = [];
    await Promise.all(
      threads.map(async (thread, t) => {
        const shards = layout.shards.filter((shard) => shard.index % count === t);
        const calls = shards.map((shard) => kernels.flatMap((of) => of(shard)));
        const values = await thread.run(calls.flat());
        let last = -1;
        for (const [i, shard] of shards.entries()) {
          last += calls[i]!.length;
          results[shard.index] = values[last];
        }
      }),
    );
    return results;
  };
  const digestOf = (vector: Vector) => (s: Shard) => [["digest", pointer(vector, s), s.size, BigInt(s.index)]] as const;

  const params = make();
  const ema = make();
  const moments = Object.fromEntries(names.map((name) => [name, make()]));

  return {
    layout,
    params,
    ema,
    moments,

    allocate() {
      const vector = free.pop();
      if (vector) return vector;
      if (made >= limit)
        throw new PlumeError("RESOURCE_EXHAUSTED", `${maxVectors} vectors are in use, the bound of this reducer`);
      return make();
    },
    release: (vector) => void free.push(vector),

    async add(out, left, right, node) {
      await onShards(
        (s) => [["add", pointer(out, s), pointer(left, s), pointer(right, s), s.size]],
        (s) => wire.round(place(out, s), node),
      );
    },

    landing: (vector) =>
      layout.shards.map((shard) => {
        const bytes = wire.bytes(shard.size);
        const end = pointer(vector, shard) + 4 * shard.size;
        return new Uint8Array(threadOf(shard).memory.buffer, end - bytes, bytes);
      }),

    async arrived(vector) {
      const digests = await onShards((s) => wire.decode(place(vector, s)), digestOf(vector));
      return chainDigests(digests as bigint[]);
    },

    async squaredNorm(vector) {
      const parts = await onShards((s) => [["squaredNorm", pointer(vector, s), s.size]]);
      return parts.reduce<number>((sum, part) => sum + (part as number), 0);
    },

    async firstNonFinite(vector) {
      const found = await onShards((s) => [["firstNonFinite", pointer(vector, s), s.size]]);
      const shard = found.findIndex((index) => (index as number) >= 0);
      return shard < 0 ? -1 : layout.shards[shard]!.offset + (found[shard] as number);
    },

    async digest(vector) {
      const digests = await onShards(digestOf(vector));
      return chainDigests(digests as bigint[]);
    },

    async optimize(gradient, step: OptimizerStep) {
      const { calls } = OPTIMIZERS[optimizer];
      await onShards((s) => {
        const at = (vector: Vector) => pointer(vector, s);
        return [calls(step, { p: at(params), g: at(gradient), moment: (name) => at(moments[name]!), n: s.size })];
      });
    },

    async updateEma(decay) {
      await onShards((s) => [["ema", pointer(ema, s), pointer(params, s), s.size, decay]]);
    },

    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

function startThread(): KernelThread {
  const memory = createSharedMemory(65536);
  // Nothing of the parent's loader: the thread is plain JavaScript.
  const worker = new Worker(asset("shared/kernels/thread.mjs"), { workerData: { memory }, execArgv: [] });
  worker.unref();
  const waiting = new Map<number, { resolve: (results: KernelResult[]) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let closed: Error | null = null;
  const die = (error: Error) => {
    closed ??= error;
    for (const { reject } of waiting.values()) reject(closed);
    waiting.clear();
  };
  worker.on("error", die);
  worker.on("exit", () => die(new PlumeError("INTERNAL", "a kernel thread ended")));
  worker.on("message", ({ id, results, error }: { id: number; results: KernelResult[]; error?: string }) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    if (error) call?.reject(new PlumeError("INTERNAL", `a kernel failed: ${error}`));
    else call?.resolve(results);
  });
  return {
    memory,
    run(calls) {
      if (closed) return Promise.reject(closed);
      return new Promise((resolve, reject) => {
        const id = ++lastId;
        waiting.set(id, { resolve, reject });
        worker.ref();
        worker.postMessage({ id, calls });
      });
    },
    async close() {
      closed ??= new PlumeError("UNAVAILABLE", "the reducer is closed");
      await worker.terminate();
    },
  };
}
