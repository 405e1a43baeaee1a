import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { faultsOf } from "../../shared/checkpoint/faults.ts";
import { locateCheckpoint } from "../../shared/checkpoint/locate.ts";
import { plainName } from "../../shared/checkpoint/manifest.ts";
import { objectsOf } from "../../shared/checkpoint/objects.ts";
import { type ListedCheckpoint, listCheckpoints, readCheckpoint } from "../../shared/checkpoint/read.ts";
import { applyRetention, removeCheckpoint } from "../../shared/checkpoint/retention.ts";
import { writeCheckpoint } from "../../shared/checkpoint/write.ts";
import { dumpJob, parseJob } from "../../shared/config/load.ts";
import { fileStore } from "../../shared/store/file.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { buildLayout, type ParamSpec } from "../../shared/tensor/layout.ts";
import { scratchFolder } from "../support/plume.ts";

import {
  content,
  dyingAt,
  flipByte,
  job,
  keyOf,
  keysOf,
  layout,
  PARAMS,
  param,
  set,
  stepsIn,
} from "../support/tiny-checkpoint.ts";

describe("a checkpoint", () => {
  it("comes back bit by bit, tensor by tensor, with its job and its state", async () => {
    const store = memoryStore();
    const written = await writeCheckpoint(store, content(12));
    expect(written.prefix).toBe("step-000000012/");
    const { state, job: readJob, vectors } = await readCheckpoint(store, 12, { layout });
    expect(readJob).toEqual(job);
    // 12 steps of 64 samples, 100 an epoch: 768 = 7 epochs and 68 samples.
    expect(state).toMatchObject({
      step: 12,
      epoch: 7,
      cursor: 68,
      seed: 0,
      layoutDigest: layout.digest,
      imageSet: set,
    });
    expect(Object.keys(vectors).sort()).toEqual(["ema", "moments.m", "params"]);
    for (const [name, shardOf] of Object.entries(content(12).vectors))
      for (const shard of layout.shards)
        for (const { name: tensor, offset, size } of shard.tensors) {
          const start = offset - shard.offset;
          expect(vectors[name]!.get(tensor)).toEqual(shardOf(shard.index).slice(start, start + size));
        }
  });

  it("has one part for each vector and shard, and the manifest names each with its size", async () => {
    const store = memoryStore();
    const { bytes } = await writeCheckpoint(store, content(5));
    expect(layout.shards).toHaveLength(2);
    const vectorParts = ["ema", "moments.m", "params"].flatMap((v) => [
      `step-000000005/${v}-00000-of-00002.safetensors`,
      `step-000000005/${v}-00001-of-00002.safetensors`,
    ]);
    const others = ["job.yaml", "manifest.json", "state.json"].map((name) => `step-000000005/${name}`);
    expect((await keysOf(store)).map(plainName).sort()).toEqual([...vectorParts, ...others].sort());
    const [listed] = await listCheckpoints(store);
    expect(listed).toMatchObject({ step: 5, bytes, manifest: { job: "tiny", version: 2, ledger: [] } });
    for (const { key, size } of listed!.manifest.parts)
      expect(await store.head(`step-000000005/${key}`)).toMatchObject({ size });
  });

  it("reads only the vectors that are asked for", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(5));
    const { vectors } = await readCheckpoint(store, "latest", { vectors: ["ema"] });
    expect(Object.keys(vectors)).toEqual(["ema"]);
  });

  it("does not exist until its last write, wherever the writer dies, and can be written again", async () => {
    const reference = memoryStore();
    await writeCheckpoint(reference, content(20));
    const writes = (await keysOf(reference)).length;
    for (let n = 1; n <= writes; n++) {
      for (const when of ["before", "after"] as const) {
        const store = memoryStore();
        await writeCheckpoint(store, content(10));
        const exists = n === writes && when === "after";
        const write = writeCheckpoint(dyingAt(store, n, when), content(20));
        // An answer that leaves it open whether the manifest is there: it is looked at.
        if (exists) await write;
        else await expect(write).rejects.toThrow("the power is out");
        expect(await stepsIn(store)).toEqual(exists ? [10, 20] : [10]);
        expect((await readCheckpoint(store, "latest", { layout })).state.step).toBe(exists ? 20 : 10);
        await writeCheckpoint(store, content(20));
        expect((await readCheckpoint(store, 20, { layout })).vectors.params!.size).toBe(3);
      }
    }
  });

  it("stops being written when the signal says so", async () => {
    const store = memoryStore();
    await expect(writeCheckpoint(store, content(1), AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    expect(await keysOf(store)).toEqual([]);
  });
});

describe("damage", () => {
  it("of one bit anywhere in any file is found, and the file named", async () => {
    const pristine = memoryStore();
    await writeCheckpoint(pristine, content(10));
    for (const key of await keysOf(pristine)) {
      const { size } = (await pristine.head(key))!;
      const places = [0, 9, size >> 2, size >> 1, size - 3];
      for (const at of places) {
        const store = memoryStore();
        await writeCheckpoint(store, content(10));
        await flipByte(store, plainName(key), at);
        const exact = readCheckpoint(store, 10);
        await expect(exact).rejects.toMatchObject({ code: "DATA_LOSS", message: expect.stringContaining(key) });
      }
    }
  });

  it("is passed over for the newest whole checkpoint, loudly and newest first", async () => {
    const store = memoryStore();
    for (const step of [10, 20, 30, 40, 50]) await writeCheckpoint(store, content(step));
    await flipByte(store, "step-000000050/ema-00001-of-00002.safetensors", 150);
    await store.put("step-000000040/manifest.json", Buffer.from('{"version": 1'));
    await store.delete(await keyOf(store, "step-000000030/state.json"));
    const skipped: [number, string][] = [];
    const { state, vectors } = await readCheckpoint(store, "latest", { onSkipped: (...about) => skipped.push(about) });
    expect(state.step).toBe(20);
    expect(vectors.params!.get("conv.bias")![0]).toBeGreaterThan(1_000);
    expect(skipped.map(([step]) => step)).toEqual([50, 40, 30]);
    expect(skipped[0]![1]).toContain("step-000000050/ema-00001-of-00002-");
    expect(skipped[1]![1]).toContain("step-000000040/manifest.json");
    expect(skipped[2]![1]).toContain("step-000000030/state-");
  });

  it("of every checkpoint is NOT_FOUND, never an empty result", async () => {
    const store = memoryStore();
    await expect(readCheckpoint(store, "latest")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await writeCheckpoint(store, content(10));
    await store.delete(await keyOf(store, "step-000000010/params-00000-of-00002.safetensors"));
    await expect(readCheckpoint(store, "latest")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(readCheckpoint(store, 10)).rejects.toThrow("params-00000-of-00002-");
    await expect(readCheckpoint(store, 11)).rejects.toMatchObject({ code: "NOT_FOUND", remedy: "it has step 10" });
  });

  it("of the manifest leaves no checkpoint, or the very same one where it changed a space", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const key = "step-000000010/manifest.json";
    const whole = await readCheckpoint(store, 10);
    const pristine = await store.get(key);
    let harmless = 0;
    for (let at = 0; at < pristine.length; at++) {
      const damaged = Uint8Array.from(pristine);
      damaged[at]! ^= 1 << (at % 7);
      await store.put(key, damaged);
      const read = await readCheckpoint(store, 10).catch((error: { code: string }) => error.code);
      if (typeof read !== "string") {
        expect(String.fromCharCode(pristine[at]!)).toMatch(/\s/);
        expect(read).toEqual(whole);
        harmless++;
      } else expect(read).toBe("DATA_LOSS");
    }
    expect(harmless).toBeLessThan(pristine.length / 50);
  });

  it("by truncation is told by the sizes", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const key = await keyOf(store, "step-000000010/params-00000-of-00002.safetensors");
    await store.put(key, (await store.get(key)).subarray(0, 50));
    await expect(readCheckpoint(store, 10)).rejects.toThrow("has 50 bytes, its manifest says");
    const [listed] = await listCheckpoints(store);
    expect((await faultsOf(store, objectsOf((listed as ListedCheckpoint).manifest)))[0]?.reason).toContain(
      "has 50 bytes",
    );
  });

  it("by a manifest in another step's folder does not make a checkpoint", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    for (const key of await keysOf(store)) await store.put(key.replace("010/", "099/"), await store.get(key));
    const invalid: number[] = [];
    const listed = await listCheckpoints(store, (step) => invalid.push(step));
    expect(listed.map(({ step }) => step)).toEqual([10]);
    expect(invalid).toEqual([99]);
  });

  it("is repaired when its step is written again", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    await flipByte(store, "step-000000010/params-00000-of-00002.safetensors", 250);
    await writeCheckpoint(store, content(10));
    expect((await readCheckpoint(store, 10)).state.step).toBe(10);
  });

  it("does not hide a store that cannot be read", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const unplugged: ObjectStore = { ...store, get: () => Promise.reject(new Error("no route to the store")) };
    await expect(readCheckpoint(unplugged, "latest")).rejects.toThrow("no route to the store");
  });
});

describe("a step that is there already", () => {
  it("is left as it is when it holds the same weights, though the job changed in what decides no bits", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const before = await store.get("step-000000010/manifest.json");
    const more = parseJob(dumpJob(job), { set: ["workers.replicas=7"] });
    await writeCheckpoint(store, content(10, { job: more }));
    expect(await store.get("step-000000010/manifest.json")).toEqual(before);
    expect((await readCheckpoint(store, 10)).job.spec.workers.replicas).toBe(2);
  });

  it("is refused with other weights, and stays whole", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const others = { ...content(10).vectors, ema: content(11).vectors.ema! };
    const refused = writeCheckpoint(store, content(10, { vectors: others }));
    await expect(refused).rejects.toMatchObject({ code: "ALREADY_EXISTS", remedy: expect.stringContaining("store") });
    expect((await readCheckpoint(store, 10)).vectors.ema!.get("conv.bias")![0]).toBe(
      content(10).vectors.ema!(0)[layout.tensors[1]!.offset],
    );
  });
});

describe("a checkpoint of another model", () => {
  const readInto = async (params: readonly ParamSpec[]) => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    return readCheckpoint(store, "latest", { layout: buildLayout(params, 24) });
  };

  it.each([
    ["lacks a tensor", PARAMS.slice(0, 2), "it has tensor head.weight"],
    ["has one more", [...PARAMS, param("extra", 4)], "it lacks tensor extra"],
    [
      "has another shape",
      [...PARAMS.slice(0, 2), param("head.weight", 3, 5)],
      "head.weight is [5,3], this job's model wants [3,5]",
    ],
  ])("is refused by a model that %s, naming the tensor", async (_, params, message) => {
    await expect(readInto(params)).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringContaining(message),
      remedy: expect.stringContaining("--resume never"),
    });
  });

  it("is accepted when only the cut into shards differs", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const { vectors } = await readCheckpoint(store, "latest", { layout: buildLayout(PARAMS) });
    expect([...vectors.params!.keys()].sort()).toEqual(PARAMS.map(({ name }) => name).sort());
  });
});

describe("retention", () => {
  it("keeps the newest, by number and not by name", async () => {
    const store = memoryStore();
    for (const step of [900, 1_000, 10, 999_999_999, 1_000_000_000]) await writeCheckpoint(store, content(step));
    expect(await applyRetention(store, 3)).toEqual([10, 900]);
    expect(await stepsIn(store)).toEqual([1_000, 999_999_999, 1_000_000_000]);
    expect(await applyRetention(store, 3)).toEqual([]);
  });

  it("sweeps what dead writers left below the newest, and leaves what is being written above it", async () => {
    const store = memoryStore();
    await expect(writeCheckpoint(dyingAt(store, 3, "after"), content(5))).rejects.toThrow();
    await writeCheckpoint(store, content(10));
    await expect(writeCheckpoint(dyingAt(store, 3, "after"), content(15))).rejects.toThrow();
    const unfinished = await keysOf(store, "step-000000015/");
    expect(unfinished).toHaveLength(3);
    expect(await applyRetention(store, 3)).toEqual([5]);
    expect(await keysOf(store, "step-000000005/")).toEqual([]);
    expect(await keysOf(store, "step-000000015/")).toEqual(unfinished);
    expect(await stepsIn(store)).toEqual([10]);
  });

  it("removes nothing from a store without a checkpoint", async () => {
    const store = memoryStore();
    await store.put("step-000000001/params-00000-of-00002.safetensors", Buffer.from("half"));
    await store.put("notes.txt", Buffer.from("mine"));
    expect(await applyRetention(store, 1)).toEqual([]);
    expect(await keysOf(store)).toHaveLength(2);
  });

  it("takes the manifest first, so that a removal cut short leaves no checkpoint", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    let deletions = 0;
    const dying: ObjectStore = {
      ...store,
      delete: async (key) => {
        if (++deletions > 1) throw new Error("the power is out");
        await store.delete(key);
      },
    };
    await expect(removeCheckpoint(dying, 10)).rejects.toThrow("the power is out");
    expect(await stepsIn(store)).toEqual([]);
    await removeCheckpoint(store, 10);
    expect(await keysOf(store)).toEqual([]);
  });
});

describe("locateCheckpoint", () => {
  it("finds a run's folder, its store, a step in it, and URLs of these", async () => {
    using scratch = scratchFolder();
    const run = scratch.file("run");
    const store = fileStore(`${run}/checkpoints`);
    for (const step of [10, 20]) await writeCheckpoint(store, content(step));
    writeFileSync(`${run}/job.yaml`, dumpJob(job));
    const stepOf = async (argument: string) => {
      const located = await locateCheckpoint(argument);
      return (await readCheckpoint(located.store, located.which)).state.step;
    };
    expect(await stepOf(run)).toBe(20);
    expect(await stepOf(`${run}/checkpoints/`)).toBe(20);
    expect(await stepOf(`${run}/checkpoints/step-000000010`)).toBe(10);
    expect(await stepOf(`file://${run}/checkpoints`)).toBe(20);
    expect(await stepOf(`file://${run}/checkpoints/step-000000010`)).toBe(10);
  });

  it("follows the store that the job names, and falls back to the folder's own when the run was moved", async () => {
    using scratch = scratchFolder();
    const elsewhere = `file://${scratch.file("elsewhere")}`;
    await writeCheckpoint(fileStore(scratch.file("elsewhere")), content(30));
    const run = scratch.file("run");
    await writeCheckpoint(fileStore(`${run}/checkpoints`), content(10));
    writeFileSync(`${run}/job.yaml`, dumpJob(parseJob(dumpJob(job), { set: [`checkpoint.store=${elsewhere}`] })));
    expect(await stepsIn((await locateCheckpoint(run)).store)).toEqual([30]);
    renameSync(scratch.file("elsewhere"), scratch.file("gone"));
    expect(await stepsIn((await locateCheckpoint(run)).store)).toEqual([10]);
  });

  it("names the step of a folder without a manifest, so that the reader says what is there instead", async () => {
    using scratch = scratchFolder();
    await writeCheckpoint(fileStore(scratch.path), content(10));
    mkdirSync(scratch.file("step-000000099"));
    const { store, which } = await locateCheckpoint(scratch.file("step-000000099"));
    await expect(readCheckpoint(store, which)).rejects.toMatchObject({ remedy: "it has step 10" });
  });

  it("says what it looked for where there is no checkpoint", async () => {
    using scratch = scratchFolder();
    writeFileSync(scratch.file("grid.png"), "");
    const refused = (argument: string, reason: string) =>
      expect(locateCheckpoint(argument)).rejects.toMatchObject({
        code: "NOT_FOUND",
        exitCode: 2,
        message: expect.stringContaining(reason),
      });
    await refused(scratch.file("nothing"), "there is no such folder");
    await refused(scratch.file("grid.png"), "it is no folder");
    await refused(scratch.path, "no job.yaml of a run and no step-... folders");
    await expect(locateCheckpoint("ftp://host/run")).rejects.toThrow("is no store that plume knows");
  });
});
