import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decideSegments, extendLedger, restoreLedger } from "../../shared/checkpoint/ledger-chain.ts";
import type { LedgerSegment } from "../../shared/checkpoint/manifest.ts";
import { openLedgerCopy } from "../../shared/ledger/copy.ts";
import { openLedger, stepsInLedger } from "../../shared/ledger/ledger.ts";
import { readBegin, readLedger } from "../../shared/ledger/read.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { scratchFolder } from "../support/plume.ts";

const lineOf = (step: number) => ({
  step,
  epoch: 0,
  ranges: [[0, step * 4, step * 4 + 4]] as [number, number, number][],
  ids: ["0123abcd"],
  blocks: [{ lo: 0, hi: 1, worker: "w", attempt: 0 }],
  loss: 0.5,
  gradNorm: 1,
  lr: 1e-3,
  gradDigest: "00ff00ff00ff00ff",
});

const stepsOf = (chain: readonly LedgerSegment[]) => chain.map(({ from, to }) => `${from}-${to}`);

/** Appends steps and puts the chain of each of these saves. */
async function save(file: string, store: ObjectStore, first: number, ...saves: number[]) {
  const ledger = openLedger(file, first);
  let chain: readonly LedgerSegment[] = [];
  let next = first;
  for (const step of saves) {
    for (; next < step; next++) ledger.append(lineOf(next));
    chain = await extendLedger(chain, ledger.lines)(step, (key, bytes) => store.put(key, bytes));
  }
  ledger.close();
  return chain;
}

async function restore(store: ObjectStore, chain: readonly LedgerSegment[], file: string) {
  const copy = openLedgerCopy(file);
  const restored = await restoreLedger(store, chain, copy);
  copy.keep();
  copy.close();
  return restored;
}

describe("the ledger that travels", () => {
  it("comes back as it was, line by line, from whatever chain", async () => {
    using scratch = scratchFolder();
    const store = memoryStore();
    for (const saves of [[10], [10, 20], [5, 10, 15, 20, 25], [1, 2, 3, 4, 5, 6, 7, 40]]) {
      rmSync(scratch.file("a.ndjson"), { force: true });
      const chain = await save(scratch.file("a.ndjson"), store, 0, ...saves);
      expect(chain[0]!.from).toBe(0);
      expect(await restore(store, chain, scratch.file("b.ndjson"))).toEqual({ whole: chain, faults: [] });
      expect(readFileSync(scratch.file("b.ndjson"), "utf8")).toBe(readFileSync(scratch.file("a.ndjson"), "utf8"));
    }
  });

  it("is named in few segments: 2,000 saves make eleven at most, and none is written more than eleven times", () => {
    let chain: LedgerSegment[] = [];
    let written = 0;
    let longest = 0;
    for (let step = 500; step <= 1_000_000; step += 500) {
      const { kept, from } = decideSegments(chain, step, Number.POSITIVE_INFINITY);
      written += step - from;
      chain = [...kept, { key: `${from}`, from, to: step, size: step - from, sha256: "" }];
      longest = Math.max(longest, chain.length);
    }
    expect(longest).toBeLessThanOrEqual(11);
    expect(written / 1_000_000).toBeLessThanOrEqual(11);
  });

  it("is cut where a segment would become too large", async () => {
    using scratch = scratchFolder();
    const store = memoryStore();
    const ledger = openLedger(scratch.file("a.ndjson"), 0);
    for (let step = 0; step < 100; step++) ledger.append(lineOf(step));
    const bytes = readFileSync(scratch.file("a.ndjson")).length;
    const chain = await extendLedger([], ledger.lines, bytes / 4)(100, (key, piece) => store.put(key, piece));
    ledger.close();
    expect(chain.length).toBeGreaterThan(3);
    for (const { size } of chain) expect(size).toBeLessThanOrEqual(bytes / 4);
    await restore(store, chain, scratch.file("b.ndjson"));
    expect(readFileSync(scratch.file("b.ndjson")).length).toBe(bytes);
  });

  it.each(["missing", "damaged"])("begins behind a segment that is %s, which is named", async (how) => {
    using scratch = scratchFolder();
    const store = memoryStore();
    const chain = await save(scratch.file("a.ndjson"), store, 0, 32, 48, 56, 60);
    expect(stepsOf(chain)).toEqual(["0-32", "32-48", "48-56", "56-60"]);
    const { key } = chain[1]!;
    if (how === "missing") await store.delete(key);
    else {
      const bytes = await store.get(key);
      bytes[50]! ^= 1;
      await store.put(key, bytes);
    }
    const { whole, faults } = await restore(store, chain, scratch.file("b.ndjson"));
    expect(stepsOf(whole)).toEqual(["48-56", "56-60"]);
    expect(faults).toEqual([expect.stringContaining(key)]);
    expect(readBegin(scratch.file("b.ndjson"))).toMatchObject({ begins: 48 });
    expect([...readLedger(scratch.file("b.ndjson"))].map(({ step }) => step)[0]).toBe(48);
    expect(stepsInLedger(scratch.file("b.ndjson"))).toBe(60);
  });

  it("goes on after what is left of it, also through a resume that cuts it", async () => {
    using scratch = scratchFolder();
    const store = memoryStore();
    const file = scratch.file("a.ndjson");
    const chain = await save(file, store, 48, 52); // no ledger of the steps before
    expect(stepsOf(chain)).toEqual(["48-52"]);
    appendFileSync(file, '{"step":52,"epo');
    const again = await save(file, store, 50, 56);
    expect(stepsOf(again)).toEqual(["48-56"]);
    expect(readBegin(file)).toMatchObject({ begins: 48 });
    expect([...readLedger(file)].map(({ step }) => step)).toEqual([48, 49, 50, 51, 52, 53, 54, 55]);
  });
});
