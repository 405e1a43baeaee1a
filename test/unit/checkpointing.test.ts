// Saves beside training, on a real reducer and a store in memory whose every answer the test holds back or spoils.

import { describe, expect, it } from "vitest";
import { createBuffers } from "../../coordinator/checkpointing/buffers.ts";
import { warmUp } from "../../coordinator/checkpointing/capture.ts";
import { type CheckpointerOptions, createCheckpointer } from "../../coordinator/checkpointing/checkpointer.ts";
import { createAttempts, decideRetry } from "../../coordinator/checkpointing/retry.ts";
import { listCheckpoints, readCheckpoint } from "../../shared/checkpoint/read.ts";
import { parseJob } from "../../shared/config/load.ts";
import { PlumeError } from "../../shared/errors.ts";
import { type LocalReducer, openReducer } from "../../shared/kernels/open-reducer.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

const job = parseJob("metadata: { name: tiny }\nspec: { data: { source: 'shapes:100' } }");
const set = { name: "shapes:100", size: 100, digest: "d", height: 8, width: 8, channels: 1, classes: [] };
const FLOATS = 20_000;
// Eight shards of one tensor; the last float of every tensor is followed by padding.
const layout = buildLayout(
  Array.from({ length: 8 }, (_, i) => ({ name: `w${i}`, shape: [FLOATS - 1], init: { kind: "zeros" as const } })),
  FLOATS,
);
const KIB = 1024;
const PART_BYTES = 4 * FLOATS;

async function fill(reducer: LocalReducer, value: number): Promise<void> {
  for (const vector of [reducer.params, reducer.ema, ...Object.values(reducer.moments)])
    for (const shard of layout.shards) await reducer.write(vector, shard, new Float32Array(shard.size).fill(value));
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const away = () => new PlumeError("UNAVAILABLE", "no route to the store");

async function open(change: Partial<CheckpointerOptions> = {}, limit = 1 << 30) {
  const reducer = await openReducer({ layout, optimizer: "adamw", maxVectors: 1, threads: 2 });
  const store = memoryStore();
  const buffers = createBuffers(limit);
  const said: string[] = [];
  const checkpointer = createCheckpointer({
    job,
    set,
    store,
    keep: 9,
    reducer,
    buffers,
    now: () => 0,
    sleep: async () => void (await turn()),
    patienceMs: 0,
    writer: "me",
    newest: null,
    onWritten: ({ step }) => said.push(`written ${step}`),
    onRetry: (step) => said.push(`again ${step}`),
    onFailed: (step, error) => said.push(`failed ${step}: ${(error as Error).message}`),
    onStall: () => {},
    onKept: (error) => said.push(`kept: ${(error as Error).message}`),
    ...change,
  });
  return { reducer, store, buffers, checkpointer, said };
}

/** What a checkpoint has in every tensor of every vector. */
async function valuesIn(store: ObjectStore, step: number): Promise<Set<number>> {
  const { vectors } = await readCheckpoint(store, step, { layout });
  expect(Object.keys(vectors).sort()).toEqual(["ema", "moments.m", "moments.v", "params"]);
  return new Set(Object.values(vectors).flatMap((tensors) => [...tensors.values()].flatMap((floats) => [...floats])));
}

/** A store whose puts wait until they are let through. */
function gated(store: ObjectStore) {
  let openGate = () => {};
  const gate = new Promise<void>((resolve) => {
    openGate = resolve;
  });
  return {
    openGate,
    store: { ...store, put: (key: string, bytes: Uint8Array) => gate.then(() => store.put(key, bytes)) },
  };
}

describe("a save beside training", () => {
  it("keeps the vectors as they were when it began, though they change before it is written", async () => {
    const { reducer, checkpointer, store, said } = await open();
    await using _ = reducer;
    for (const step of [1, 2, 3]) {
      await fill(reducer, step);
      await checkpointer.save(step);
      for (let n = 0; n < step; n++) await turn(); // some of it is copied while gradients are gathered
      await checkpointer.copied();
    }
    await fill(reducer, 4);
    await checkpointer.settled();
    expect(said).toEqual(["written 1", "written 2", "written 3"]);
    for (const step of [1, 2, 3]) expect(await valuesIn(store, step)).toEqual(new Set([step]));
  });

  it("never has more memory than its bound: the copy waits for the store", async () => {
    const bound = 3 * PART_BYTES + 200 * KIB;
    const memory = memoryStore();
    const { store, openGate } = gated(memory);
    const stalls: boolean[] = [];
    const onStall = (_seconds: number, short: boolean) => stalls.push(short);
    const { reducer, buffers, checkpointer, said } = await open({ store, onStall }, bound);
    await using _ = reducer;
    await fill(reducer, 7);
    await checkpointer.save(7);
    let copied = false;
    const copying = checkpointer.copied().then(() => {
      copied = true;
    });
    for (let n = 0; n < 50; n++) await turn();
    expect(copied).toBe(false);
    openGate();
    await copying;
    await checkpointer.settled();
    expect(said).toEqual(["written 7"]);
    expect(await valuesIn(memory, 7)).toEqual(new Set([7]));
    expect(buffers.peak).toBeGreaterThan(PART_BYTES);
    expect(buffers.peak).toBeLessThanOrEqual(bound);
    expect(buffers.used).toBe(0);
    expect(stalls).toContain(true);
  });

  it("takes one part at a time where the bound is smaller than a part", async () => {
    const { reducer, buffers, checkpointer, store } = await open({}, 1);
    await using _ = reducer;
    await fill(reducer, 7);
    await checkpointer.save(7);
    await checkpointer.settled();
    expect(await valuesIn(store, 7)).toEqual(new Set([7]));
    expect(buffers.peak).toBeLessThan(2 * PART_BYTES);
  });

  it("that the store refuses is tried again until it is written", async () => {
    const memory = memoryStore();
    let failures = 3;
    const put: ObjectStore["put"] = async (...args) => {
      if (failures-- > 0) throw away();
      await memory.put(...args);
    };
    const { reducer, checkpointer, said } = await open({ store: { ...memory, put }, patienceMs: 60_000 });
    await using _ = reducer;
    await fill(reducer, 7);
    await checkpointer.save(7);
    await checkpointer.settled();
    expect(said.filter((word) => word === "again 7").length).toBeGreaterThan(0);
    expect(said.at(-1)).toBe("written 7");
    expect(await valuesIn(memory, 7)).toEqual(new Set([7]));
  });

  it("is given up when the next one is due and its store still fails, and that one is written", async () => {
    const memory = memoryStore();
    let broken = true;
    const put: ObjectStore["put"] = async (...args) => {
      if (broken) throw away();
      await memory.put(...args);
    };
    const sleep = (_ms: number, signal: AbortSignal) =>
      new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const { reducer, buffers, checkpointer, said } = await open({ store: { ...memory, put }, patienceMs: 1e9, sleep });
    await using _ = reducer;
    await fill(reducer, 1);
    await checkpointer.save(1);
    await checkpointer.copied();
    while (!said.includes("again 1")) await turn();
    await fill(reducer, 2);
    broken = false;
    await checkpointer.save(2);
    await checkpointer.settled();
    expect(said).toEqual(["again 1", "failed 1: no route to the store", "written 2"]);
    expect(await valuesIn(memory, 2)).toEqual(new Set([2]));
    expect(buffers.used).toBe(0);
  });

  it("is given up when training waits for memory and its store fails: training never waits for a broken store", async () => {
    const memory = memoryStore();
    const put = () => Promise.reject(away());
    const store = { ...memory, put };
    const { reducer, buffers, checkpointer, said } = await open({ store, patienceMs: 1e9 }, 2 * PART_BYTES + 200 * KIB);
    await using _ = reducer;
    await fill(reducer, 1);
    await checkpointer.save(1);
    await checkpointer.copied();
    await checkpointer.settled();
    expect(said.at(-1)).toBe("failed 1: no route to the store");
    expect(buffers.used).toBe(0);
  });

  it("whose old checkpoints cannot be removed is none the worse for it", async () => {
    const memory = memoryStore();
    const remove = () => Promise.reject(away());
    const { reducer, checkpointer, said } = await open({ store: { ...memory, delete: remove }, keep: 1 });
    await using _ = reducer;
    for (const step of [1, 2]) {
      await fill(reducer, step);
      await checkpointer.save(step);
      await checkpointer.settled();
    }
    expect(said).toEqual(["written 1", "written 2", "kept: no route to the store"]);
  });

  it("of the same step is made once; of two coordinators that race for one step with other weights, one is refused by name", async () => {
    const memory = memoryStore();
    const a = await open({ store: memory, writer: "first of host-a" });
    const b = await open({ store: memory, writer: "second of host-b" });
    await using _a = a.reducer;
    await using _b = b.reducer;
    await fill(a.reducer, 1);
    await fill(b.reducer, 2);
    await Promise.all([a.checkpointer.save(9), b.checkpointer.save(9), a.checkpointer.save(9)]);
    await Promise.all([a.checkpointer.settled(), b.checkpointer.settled()]);
    const said = [...a.said, ...b.said];
    expect(said.filter((word) => word === "written 9")).toHaveLength(1);
    const lost = said.filter((word) => word.startsWith("failed 9"));
    expect(lost).toHaveLength(1);
    expect(lost[0]).toContain("first of host-a");
    expect(lost[0]).toContain("second of host-b");
    // The loser has overwritten nothing: what is there is wholly the winner's.
    const winner = a.said.includes("written 9") ? 1 : 2;
    expect(await valuesIn(memory, 9)).toEqual(new Set([winner]));
    expect(await listCheckpoints(memory)).toHaveLength(1);
  });
});

describe("a call that failed", () => {
  const state = { failedForMs: 0, round: 0, patienceMs: 60_000, pressed: false };

  it("is made again after pauses that grow up to a limit, until the patience is over", () => {
    const pauses = [0, 1, 2, 4, 9].map((round) => decideRetry(away(), { ...state, round }));
    expect(pauses).toEqual([500, 1000, 2000, 8000, 10_000].map((afterMs) => ({ kind: "again", afterMs })));
    expect(decideRetry(away(), { ...state, failedForMs: 59_900 })).toEqual({ kind: "again", afterMs: 100 });
    expect(decideRetry(away(), { ...state, failedForMs: 60_000 }).kind).toBe("give-up");
  });

  it("is given up at once when it would fail again, or when somebody waits for it", () => {
    expect(decideRetry(new PlumeError("ALREADY_EXISTS", "taken", { remedy: "none" }), state).kind).toBe("give-up");
    expect(decideRetry(away(), { ...state, pressed: true })).toMatchObject({ reason: "it is waited for" });
  });

  it("shares its pause with those that fail beside it", async () => {
    const retries: number[] = [];
    const attempts = createAttempts({
      now: () => 0,
      sleep: turn as () => Promise<void>,
      patienceMs: () => 1000,
      pressed: () => false,
      giveUp: new AbortController().signal,
      onRetry: (_error, afterMs) => retries.push(afterMs),
    });
    let broken = 4;
    const call = async () => {
      if (broken-- > 0) throw away();
      return "done";
    };
    expect(await Promise.all([1, 2, 3, 4].map(() => attempts.attempt(call)))).toEqual(Array(4).fill("done"));
    expect(retries).toEqual([500]);
    expect(attempts.failing).toBe(false);
  });
});

describe("memory that is touched before the first save", () => {
  /** Buffers of nothing but fresh memory, which the save would have had to touch. */
  const fresh = (buffers: ReturnType<typeof createBuffers>) => {
    let allocated = 0;
    const { allocUnsafeSlow } = Buffer;
    Buffer.allocUnsafeSlow = (size) => {
      if (size >= PART_BYTES) allocated++;
      return allocUnsafeSlow(size);
    };
    return {
      get allocated() {
        return allocated;
      },
      buffers,
      [Symbol.dispose]: () => {
        Buffer.allocUnsafeSlow = allocUnsafeSlow;
      },
    };
  };

  it("is all that a save takes, within the bound", async () => {
    const { reducer, buffers, checkpointer } = await open();
    await using _ = reducer;
    await warmUp(reducer, buffers);
    expect(buffers.used).toBe(0);
    using counted = fresh(buffers);
    await checkpointer.save(1);
    await checkpointer.settled();
    expect(counted.allocated).toBe(0);
  });

  it("stops where the bound is", async () => {
    const { reducer, buffers } = await open({}, 4 * PART_BYTES);
    await using _ = reducer;
    await warmUp(reducer, buffers);
    expect(buffers.used).toBe(0);
    expect(buffers.peak).toBeGreaterThan(2 * PART_BYTES);
    expect(buffers.peak).toBeLessThanOrEqual(4 * PART_BYTES);
  });

  it("makes way for a save that begins meanwhile", async () => {
    const { reducer, store, buffers, checkpointer, said } = await open({}, 4 * PART_BYTES);
    await using _ = reducer;
    await fill(reducer, 1);
    const warming = warmUp(reducer, buffers);
    await checkpointer.save(1);
    await checkpointer.settled();
    await warming;
    expect(said).toEqual(["written 1"]);
    expect(await valuesIn(store, 1)).toEqual(new Set([1]));
    expect(buffers.used).toBe(0);
  });
});
