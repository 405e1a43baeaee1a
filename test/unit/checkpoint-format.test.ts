import { describe, expect, it } from "vitest";
import { faultsOf } from "../../shared/checkpoint/faults.ts";
import type { ExtendLedger } from "../../shared/checkpoint/ledger-chain.ts";
import { plainName, sha256 } from "../../shared/checkpoint/manifest.ts";
import { objectsOf } from "../../shared/checkpoint/objects.ts";
import { listCheckpoints, readCheckpoint } from "../../shared/checkpoint/read.ts";
import { applyRetention, collectOrphans } from "../../shared/checkpoint/retention.ts";
import { partsOf, writeCheckpoint, writeParts } from "../../shared/checkpoint/write.ts";
import { PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { content, dyingAt, keysOf, layout, stepsIn } from "../support/tiny-checkpoint.ts";

describe("a manifest", () => {
  const key = "step-000000010/manifest.json";
  /** Rewrites the manifest's fields, sealed again as an honest writer would. */
  async function rewritten(change: object, seal = false): Promise<ObjectStore> {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const { digest, ...fields } = JSON.parse(Buffer.from(await store.get(key)).toString());
    const changed = { ...fields, ...change };
    const sealed = seal ? sha256(Buffer.from(JSON.stringify(changed))) : digest;
    await store.put(key, Buffer.from(JSON.stringify({ digest: sealed, ...changed })));
    return store;
  }

  it("of a newer plume is refused by its format, passed over by latest, and nobody removes it", async () => {
    const store = await rewritten({ version: 3, compressed: true }, true);
    const newer = "was written by a newer plume: format 3, this one reads up to 2";
    await expect(readCheckpoint(store, 10)).rejects.toMatchObject({ message: expect.stringContaining(newer) });
    await writeCheckpoint(store, content(5));
    const skipped: string[] = [];
    const { state } = await readCheckpoint(store, "latest", { onSkipped: (_, reason) => skipped.push(reason) });
    expect([state.step, skipped]).toEqual([5, [expect.stringContaining(newer)]]);
    await expect(writeCheckpoint(store, content(10))).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    for (const step of [20, 30]) await writeCheckpoint(store, content(step));
    expect(await applyRetention(store, 1)).toEqual([5, 20]);
    expect(await collectOrphans(store, { nowMs: Number.MAX_VALUE, olderThanMs: 0 })).toEqual([]);
    expect((await keysOf(store, "step-000000010/")).length).toBe(9);
  });

  it("of format 2 without its own digest, or with another, is none", async () => {
    await expect(readCheckpoint(await rewritten({ digest: undefined }), 10)).rejects.toThrow(
      "no valid manifest: digest",
    );
    await expect(readCheckpoint(await rewritten({ job: "other" }), 10)).rejects.toThrow(
      "does not match its own digest",
    );
  });

  it("of format 1, without digests in its keys and without a ledger, is read as ever", async () => {
    const {
      parts,
      version: _v,
      ledger: _l,
      ...fields
    } = JSON.parse(Buffer.from(await (await rewritten({})).get(key)).toString()) as {
      parts: { key: string }[];
      version: number;
      ledger: unknown;
    };
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const before = await readCheckpoint(store, 10);
    for (const part of parts) {
      await store.put(`step-000000010/${plainName(part.key)}`, await store.get(`step-000000010/${part.key}`));
      await store.delete(`step-000000010/${part.key}`);
    }
    const { digest: _, ...old } = {
      version: 1,
      ...fields,
      parts: parts.map((p) => ({ ...p, key: plainName(p.key) })),
    } as Record<string, unknown>;
    for (const bytes of [old, { ...old, digest: sha256(Buffer.from(JSON.stringify(ordered(old)))) }]) {
      await store.put(key, Buffer.from(JSON.stringify(bytes)));
      expect(await readCheckpoint(store, 10, { layout })).toEqual(before);
    }
    await writeCheckpoint(store, content(10)); // the same weights: left as it is
    expect(await stepsIn(store)).toEqual([10]);
  });

  /** The fields of format 1 in the schema's order. */
  const ordered = ({ version, plume, job, step, writer, parts }: Record<string, unknown>) => ({
    version,
    plume,
    job,
    step,
    writer,
    parts,
  });
});

describe("a flipped byte", () => {
  it("is found wherever it is: 500 drawn from the parts of a checkpoint", async () => {
    const store = memoryStore();
    await writeCheckpoint(store, content(10));
    const [listed] = await listCheckpoints(store);
    const sizes = listed!.manifest.parts.map(({ key, size }) => ({ key, size }));
    const draws = uniforms({ seed: 8, purpose: PURPOSE.audit, step: 0, index: 0 }, 1000);
    for (let n = 0; n < 500; n++) {
      const { key, size } = sizes[n % sizes.length]!;
      const at = Math.floor(draws[2 * n]! * size);
      const object = `step-000000010/${key}`;
      const bytes = await store.get(object);
      const pristine = bytes.slice();
      bytes[at]! ^= 1 << Math.floor(draws[2 * n + 1]! * 8);
      await store.put(object, bytes);
      expect(await faultsOf(store, objectsOf(listed!.manifest))).toEqual([
        expect.objectContaining({ reason: expect.stringContaining(key) }),
      ]);
      await store.put(object, pristine);
    }
    expect(await faultsOf(store, objectsOf(listed!.manifest))).toEqual([]);
  });
});

describe("what may go", () => {
  it("keeps for ever the steps that keepEvery divides", async () => {
    const store = memoryStore();
    for (const step of [10, 20, 25, 30, 40]) await writeCheckpoint(store, content(step));
    expect(await applyRetention(store, 1, 20)).toEqual([10, 25, 30]);
    expect(await stepsIn(store)).toEqual([20, 40]);
  });

  it("collects what no manifest names, once it is old, and nothing that somebody may be writing", async () => {
    let nowMs = 0;
    const store = memoryStore(() => nowMs);
    await expect(writeCheckpoint(dyingAt(store, 3, "after"), content(5))).rejects.toThrow();
    const segment = (to: number) => `ledger/0-${to}-000000000000.ndjson`;
    for (const to of [5, 10, 20]) await store.put(segment(to), Buffer.from("lines"));
    await writeCheckpoint(store, content(10));
    const whole = await keysOf(store, "step-000000010/");
    await store.put("step-000000010/params-00000-of-00002-000000000000.safetensors", Buffer.from("a loser's"));
    await store.put("notes.txt", Buffer.from("mine"));
    await expect(writeCheckpoint(dyingAt(store, 2, "after"), content(15))).rejects.toThrow();
    nowMs = 1000;
    await store.put("step-000000010/ema-00000-of-00002-000000000000.safetensors", Buffer.from("being written"));
    const removed = await collectOrphans(store, { nowMs, olderThanMs: 500 });
    expect(
      removed
        .map(({ key }) => key)
        .filter((key) => !key.startsWith("step-000000005/"))
        .sort(),
    ).toEqual([segment(10), segment(5), "step-000000010/params-00000-of-00002-000000000000.safetensors"].sort());
    expect(await keysOf(store, "step-000000005/")).toEqual([]);
    expect(await keysOf(store, "step-000000015/")).toHaveLength(2);
    expect(await keysOf(store, "ledger/")).toEqual([segment(20)]);
    expect(await keysOf(store, "step-000000010/")).toEqual(expect.arrayContaining(whole));
    expect(await collectOrphans(store, { nowMs: 2000, olderThanMs: 500 })).toHaveLength(1);
    expect((await keysOf(store, "step-000000010/")).sort()).toEqual(whole);
  });

  it("keeps the segments of the ledger that any manifest names", async () => {
    const store = memoryStore();
    const ledger =
      (key: string): ExtendLedger =>
      async (step, put) => {
        await put(key, Buffer.from(`lines up to ${step}`));
        return [{ key, from: 0, to: step, size: 1, sha256: "0".repeat(64) }];
      };
    const key = (to: number) => `ledger/0-${to}-000000000000.ndjson`;
    for (const step of [10, 20, 30])
      await writeParts(store, content(step), partsOf(content(step)), { ledger: ledger(key(step)) });
    expect(await applyRetention(store, 2)).toEqual([10]);
    expect(await keysOf(store, "ledger/")).toEqual([key(20), key(30)]);
  });
});
