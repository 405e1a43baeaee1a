import { describe, expect, it } from "vitest";
import { copyCheckpoint } from "../../shared/checkpoint/copy.ts";
import { faultsOf } from "../../shared/checkpoint/faults.ts";
import { MANIFEST, prefixOf } from "../../shared/checkpoint/manifest.ts";
import { objectsOf } from "../../shared/checkpoint/objects.ts";
import { type ListedCheckpoint, listCheckpoints, readCheckpoint } from "../../shared/checkpoint/read.ts";
import { readState, surveyStore } from "../../shared/checkpoint/verify.ts";
import { writeCheckpoint } from "../../shared/checkpoint/write.ts";
import { parseJob } from "../../shared/config/load.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { buildLayout, type ParamSpec } from "../../shared/tensor/layout.ts";

const param = (name: string, ...shape: number[]): ParamSpec => ({ name, shape, init: { kind: "zeros" } });
const layout = buildLayout([param("a", 3, 5), param("b", 7), param("c", 4, 4)], 16);
const job = parseJob(
  "metadata: { name: tiny }\nspec: { data: { source: 'shapes:100' }, training: { globalBatch: 64 } }",
);
const set = { name: "shapes:100", size: 100, digest: "d".repeat(64), height: 8, width: 8, channels: 1, classes: [] };

async function storeWith(steps: readonly number[], base = 0): Promise<ObjectStore> {
  const store = memoryStore();
  for (const step of steps) {
    const floats = (shard: number) => new Float32Array(layout.shards[shard]!.size).fill(base + step + shard);
    await writeCheckpoint(store, { job, layout, step, set, vectors: { params: floats, ema: floats } });
  }
  return store;
}

const only = async (store: ObjectStore): Promise<ListedCheckpoint> => (await listCheckpoints(store)).at(-1)!;

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

async function damage(store: ObjectStore, key: string): Promise<void> {
  const bytes = Uint8Array.from(await store.get(key));
  bytes[bytes.length >> 1]! ^= 1;
  await store.put(key, bytes);
}

describe("a copy of a checkpoint", () => {
  it("has every object of the manifest, byte for byte, and reads as the same weights", async () => {
    const from = await storeWith([3]);
    const to = memoryStore();
    const copied = await copyCheckpoint(from, to, await only(from));
    expect(copied).toMatchObject({ kind: "copied", objects: objectsOf((await only(from)).manifest).length });
    expect(await keysOf(to)).toEqual(await keysOf(from));
    for (const key of await keysOf(from)) expect(await to.get(key)).toEqual(await from.get(key));
    expect(await readCheckpoint(to, 3)).toEqual(await readCheckpoint(from, 3));
  });

  it("is found to be there when it is made again, and repaired where it is damaged", async () => {
    const from = await storeWith([3]);
    const to = memoryStore();
    const checkpoint = await only(from);
    await copyCheckpoint(from, to, checkpoint);
    expect((await copyCheckpoint(from, to, checkpoint)).kind).toBe("there");
    const [first, second] = objectsOf(checkpoint.manifest);
    await damage(to, first!.key);
    await to.delete(second!.key);
    expect(await copyCheckpoint(from, to, checkpoint)).toMatchObject({ kind: "repaired", objects: 2 });
    expect(await faultsOf(to, objectsOf(checkpoint.manifest))).toEqual([]);
  });

  it("is never made of a damaged source, and the target has no checkpoint then", async () => {
    const from = await storeWith([3]);
    const checkpoint = await only(from);
    const { key } = objectsOf(checkpoint.manifest)[2]!;
    await damage(from, key);
    const to = memoryStore();
    await expect(copyCheckpoint(from, to, checkpoint)).rejects.toMatchObject({
      code: "DATA_LOSS",
      message: expect.stringContaining(key),
    });
    expect(await listCheckpoints(to)).toEqual([]);
  });

  it("never overwrites another checkpoint of that step", async () => {
    const from = await storeWith([3]);
    const to = await storeWith([3], 100);
    const before = await readCheckpoint(to, 3);
    await expect(copyCheckpoint(from, to, await only(from))).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(await readCheckpoint(to, 3)).toEqual(before);
  });

  it("leaves nothing that is listed when it is interrupted before any of its writes, and is finished by the next", async () => {
    const from = await storeWith([3]);
    const checkpoint = await only(from);
    const writes = objectsOf(checkpoint.manifest).length + 1;
    for (let n = 0; n < writes; n++) {
      const to = memoryStore();
      let left = n;
      const die =
        <A extends unknown[]>(write: (...args: A) => Promise<void>) =>
        (...args: A): Promise<void> =>
          left-- > 0 ? write(...args) : Promise.reject(new Error("the power is out"));
      const dying = { ...to, put: die(to.put), putIfAbsent: die(to.putIfAbsent) };
      await expect(copyCheckpoint(from, dying, checkpoint)).rejects.toThrow("the power is out");
      expect(await listCheckpoints(to)).toEqual([]);
      await copyCheckpoint(from, to, checkpoint);
      expect(await readCheckpoint(to, 3)).toEqual(await readCheckpoint(from, 3));
    }
  });

  it("is there when the manifest's put took place and its answer was lost", async () => {
    const from = await storeWith([3]);
    const to = memoryStore();
    const lossy = {
      ...to,
      async putIfAbsent(key: string, bytes: Uint8Array) {
        await to.putIfAbsent(key, bytes);
        throw new Error("connection reset");
      },
    };
    expect((await copyCheckpoint(from, lossy, await only(from))).kind).toBe("copied");
    expect((await listCheckpoints(to)).map(({ step }) => step)).toEqual([3]);
  });
});

describe("what is wrong with a store", () => {
  it("is every bad object, not the first alone", async () => {
    const store = await storeWith([3]);
    const objects = objectsOf((await only(store)).manifest);
    await damage(store, objects[0]!.key);
    await store.delete(objects[2]!.key);
    await damage(store, objects.at(-1)!.key);
    const read: number[] = [];
    const faults = await faultsOf(store, objects, { onRead: (bytes) => read.push(bytes) });
    expect(faults.map(({ key }) => key)).toEqual([objects[0]!.key, objects[2]!.key, objects.at(-1)!.key]);
    for (const { key, reason } of faults) expect(reason).toContain(key);
    expect(read).toHaveLength(objects.length);
  });

  it("shows in the list where an object is missing or short, without reading parts", async () => {
    const store = await storeWith([3, 6]);
    const [old, young] = await listCheckpoints(store);
    await store.delete(objectsOf(old!.manifest)[1]!.key);
    await store.put(objectsOf(young!.manifest)[0]!.key, new Uint8Array(3));
    const { checkpoints } = await surveyStore(store);
    expect(checkpoints.map(({ faults }) => faults.map(({ reason }) => reason))).toEqual([
      [expect.stringMatching(/ is missing$/)],
      [expect.stringMatching(/ has 3 bytes, its manifest says \d+$/)],
    ]);
    expect(await readState(store, young!)).toMatchObject({ step: 6, epoch: 3 });
  });

  it("includes what no manifest names, but nothing beside a manifest that cannot be read", async () => {
    const store = await storeWith([3, 6]);
    await store.put("step-000000009/params-00000-of-00001.safetensors", new Uint8Array(5));
    await store.put(`${prefixOf(6)}stray.bin`, new Uint8Array(7));
    await store.put(prefixOf(3) + MANIFEST, Buffer.from("{"));
    const { checkpoints, broken, unfinished, orphans } = await surveyStore(store);
    expect(checkpoints.map(({ step }) => step)).toEqual([6]);
    expect(broken.map(({ step }) => step)).toEqual([3]);
    expect(unfinished).toEqual([9]);
    expect(orphans.map(({ size }) => size).sort()).toEqual([5, 7]);
  });
});
