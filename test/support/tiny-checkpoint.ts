// A checkpoint of a few numbers, and stores that spoil it.

import { expect } from "vitest";
import { plainName } from "../../shared/checkpoint/manifest.ts";
import { listCheckpoints } from "../../shared/checkpoint/read.ts";
import type { CheckpointContent } from "../../shared/checkpoint/write.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { buildLayout, type ParamSpec } from "../../shared/tensor/layout.ts";

export const param = (name: string, ...shape: number[]): ParamSpec => ({ name, shape, init: { kind: "zeros" } });
export const PARAMS = [param("conv.weight", 3, 3, 1, 2), param("conv.bias", 2), param("head.weight", 5, 3)];

// Small shards, so that a vector has two parts.
export const layout = buildLayout(PARAMS, 24);
export const job = parseJob(
  "metadata: { name: tiny }\nspec: { data: { source: 'shapes:100' }, training: { globalBatch: 64 } }",
);
export const set = {
  name: "shapes:100",
  size: 100,
  digest: "d".repeat(64),
  height: 8,
  width: 8,
  channels: 1,
  classes: ["a"],
};

/** Numbers that tell vectors, steps and positions apart. */
export function content(step: number, change: Partial<CheckpointContent> = {}): CheckpointContent {
  const used = change.layout ?? layout;
  const floats = (base: number) => (shard: number) =>
    Float32Array.from({ length: used.shards[shard]!.size }, (_, i) => base + step + shard / 4 + i / 256);
  const vectors = { params: floats(1_000), ema: floats(2_000), "moments.m": floats(3_000) };
  return { job, layout: used, step, set, vectors, ...change };
}

export async function keysOf(store: ObjectStore, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

export const stepsIn = async (store: ObjectStore) => (await listCheckpoints(store)).map(({ step }) => step);

/** The key of an object by its name without the piece of a digest. */
export async function keyOf(store: ObjectStore, name: string): Promise<string> {
  const key = (await keysOf(store)).find((each) => plainName(each) === name);
  expect(key, name).toBeDefined();
  return key!;
}

export async function flipByte(store: ObjectStore, name: string, at: number): Promise<void> {
  const key = await keyOf(store, name);
  const bytes = await store.get(key);
  expect(at).toBeLessThan(bytes.length);
  bytes[at]! ^= 1;
  await store.put(key, bytes);
}

/** A store whose writer dies at its n-th write, before or after that write took place. */
export function dyingAt(store: ObjectStore, n: number, when: "before" | "after"): ObjectStore {
  let writes = 0;
  const dying = async (write: () => Promise<void>) => {
    const last = ++writes === n;
    if (writes > n || (last && when === "before")) throw new Error("the power is out");
    await write();
    if (last) throw new Error("the power is out");
  };
  return {
    ...store,
    put: (key, bytes) => dying(() => store.put(key, bytes)),
    putIfAbsent: (key, bytes) => dying(() => store.putIfAbsent(key, bytes)),
  };
}
