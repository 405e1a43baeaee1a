// The audit finds each way in which a run could lose or repeat a sample, and names the first; a true ledger passes.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { idsDigest, rangesOfStep, type SampleOrder, sampleIds } from "../../shared/data/order.ts";
import { auditLedger } from "../../shared/ledger/audit.ts";
import type { LedgerLine } from "../../shared/ledger/line.ts";

const order: SampleOrder = { seed: 7, datasetSize: 30, globalBatch: 8, microBatch: 2 };

function lineOf(step: number, of = order): LedgerLine {
  const V = of.globalBatch / of.microBatch;
  const half = Math.ceil(V / 2);
  const ranges = rangesOfStep(of, step);
  return {
    step,
    epoch: ranges[0]!.epoch,
    ranges: ranges.map(({ epoch, from, to }): [number, number, number] => [epoch, from, to]),
    ids: Array.from({ length: V }, (_, index) => idsDigest(sampleIds(of, step, index))),
    blocks: [
      ...(half < V ? [{ lo: half, hi: V, worker: "w2", attempt: 1 }] : []),
      { lo: 0, hi: half, worker: "w1", attempt: 0 },
    ],
    loss: 1,
    gradNorm: 1,
    lr: 1e-3,
    gradDigest: "00ff00ff00ff00ff",
  };
}

const usedIn = (step: number) => [0, 1, 2, 3].flatMap((index) => sampleIds(order, step, index));
const ledgerOf = (steps: number, of = order) => Array.from({ length: steps }, (_, step) => lineOf(step, of));
const changed = (step: number, change: (line: LedgerLine) => Partial<LedgerLine>, steps = 12) =>
  ledgerOf(steps).map((line) => (line.step === step ? { ...line, ...change(line) } : line));

describe("auditLedger", () => {
  it("passes a true ledger and counts what it proves", () => {
    const lines = changed(5, () => ({ skipped: true }));
    expect(auditLedger(lines, order)).toEqual({
      ok: true,
      from: 0,
      steps: 12,
      samples: 96,
      epochs: 3.2,
      wholeEpochs: 3,
      skippedSteps: 1,
      skippedSamples: 0,
      workers: 2,
      firstFault: null,
    });
  });

  it("accepts and counts samples that could not be decoded, when they were due and always had the same stand-in", () => {
    // Step 0 and the same sample an epoch later.
    const id = sampleIds(order, 0, 0)[1]!;
    const again = ledgerOf(12).findIndex(({ step }) => step > 0 && usedIn(step).includes(id));
    const skip = (...pairs: [number, number][]) => ({ skippedSamples: pairs });
    const both = (first: [number, number], second: [number, number][]) =>
      changed(again, () => skip(...second), again + 1).map((line) =>
        line.step === 0 ? { ...line, ...skip(first) } : line,
      );
    expect(auditLedger(both([id, 3], [[id, 3]]), order)).toMatchObject({ ok: true, skippedSamples: 1 });
    const fault = (lines: LedgerLine[]) => auditLedger(lines, order).firstFault;
    expect(fault(both([id, 3], [[id, 4]]))).toEqual({
      step: again,
      message: `sample 3 was read for sample ${id} before, now sample 4`,
    });
    expect(fault(both([id, 3], []))?.message).toBe(`sample 3 was read for sample ${id} before, now itself`);
    const stranger = usedIn(1).find((other) => !usedIn(0).includes(other))!;
    expect(fault(changed(0, () => skip([stranger, 3])))).toEqual({
      step: 0,
      message: `sample ${stranger} was skipped, but not due here`,
    });
    expect(fault(changed(0, () => skip([id, 30])))?.message).toContain("does not exist");
  });

  it("passes a true ledger of any sizes, also of batches larger than the data set", () => {
    const orders = fc.tuple(
      fc.nat(),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 8 }),
    );
    fc.assert(
      fc.property(orders, ([seed, datasetSize, microBatch, V]) => {
        const any = { seed, datasetSize, globalBatch: V * microBatch, microBatch };
        return auditLedger(ledgerOf(15, any), any).firstFault === null;
      }),
    );
  });

  const faults: readonly (readonly [string, LedgerLine[], number, string])[] = [
    ["a missing step", ledgerOf(12).filter(({ step }) => step !== 4), 5, "gap: step 4 is missing"],
    ["missing steps", ledgerOf(12).slice(3), 3, "gap: steps 0 to 2 are missing"],
    ["a step recorded twice", [...ledgerOf(6), ...ledgerOf(12).slice(5)], 5, "repeat: step 5 comes a second time"],
    [
      "samples left out",
      changed(3, () => ({
        epoch: 0,
        ranges: [
          [0, 25, 30],
          [1, 0, 3],
        ],
      })),
      3,
      "gap: samples go on at position 25 of epoch 0, where position 24",
    ],
    [
      "samples used again",
      changed(2, () => ({ ranges: [[0, 15, 23]] })),
      2,
      "repeat: samples go on at position 15 of epoch 0, where position 16",
    ],
    [
      "an epoch cut short",
      changed(3, () => ({
        ranges: [
          [0, 24, 29],
          [1, 0, 3],
        ],
      })),
      3,
      "gap: samples go on at position 0 of epoch 1, where position 29 of epoch 0",
    ],
    [
      "positions beyond the data set",
      changed(3, () => ({ ranges: [[0, 24, 32]] })),
      3,
      "positions [24, 32) do not exist in a set of 30",
    ],
    ["a short step", changed(1, () => ({ ranges: [[0, 8, 15]] })), 1, "7 samples in a step of 8"],
    [
      "another epoch in the line",
      changed(6, () => ({ epoch: 0 })),
      6,
      "the line says epoch 0, the samples are in epoch 1",
    ],
    [
      "other samples than the order's",
      changed(8, ({ ids }) => ({ ids: [ids[0]!, idsDigest([1, 2]), ids[2]!, ids[3]!] })),
      8,
      "micro-batch 1 was computed from other samples",
    ],
    [
      "two micro-batches exchanged",
      changed(8, ({ ids }) => ({ ids: [ids[1]!, ids[0]!, ids[2]!, ids[3]!] })),
      8,
      "micro-batch 0 was computed from other samples",
    ],
    [
      "a digest too few",
      changed(8, ({ ids }) => ({ ids: ids.slice(1) })),
      8,
      "3 digests of samples for 4 micro-batches",
    ],
    [
      "a block that is missing",
      changed(2, ({ blocks }) => ({ blocks: blocks.slice(0, 1) })),
      2,
      "gap: micro-batch 0 was computed by nobody",
    ],
    [
      "a last block that is missing",
      changed(2, ({ blocks }) => ({ blocks: blocks.slice(1) })),
      2,
      "gap: micro-batch 2 was computed by nobody",
    ],
    [
      "a block summed twice",
      changed(2, ({ blocks }) => ({ blocks: [...blocks, blocks[0]!] })),
      2,
      "repeat: micro-batch 2 was computed twice, the second time by w2",
    ],
    [
      "a block beyond the step",
      changed(2, ({ blocks }) => ({ blocks: [...blocks, { lo: 4, hi: 5, worker: "w3", attempt: 0 }] })),
      2,
      "repeat: micro-batch 4 does not exist",
    ],
  ];

  it.each(faults)("finds %s", (_, lines, step, message) => {
    const { ok, steps, firstFault } = auditLedger(lines, order);
    expect(ok).toBe(false);
    expect(firstFault?.step).toBe(step);
    expect(firstFault?.message).toContain(message);
    expect(steps).toBeLessThan(12);
  });

  it("finds a ledger of another seed by its digests", () => {
    expect(auditLedger(ledgerOf(3, { ...order, seed: 8 }), order).firstFault?.message).toContain(
      "micro-batch 0 was computed from other samples",
    );
  });

  it("reads no line after the first fault", () => {
    let read = 0;
    const lines = function* () {
      for (const line of ledgerOf(6).slice(1)) {
        read++;
        yield line;
      }
    };
    auditLedger(lines(), order);
    expect(read).toBe(1);
  });
});

describe("plume audit", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "plume-audit-"));
    const job = {
      metadata: { name: "tiny" },
      spec: {
        seed: order.seed,
        data: { source: "shapes:30", imageSize: 16 },
        training: { steps: 12, globalBatch: order.globalBatch, microBatch: order.microBatch },
      },
    };
    writeFileSync(join(folder, "job.yaml"), JSON.stringify(job)); // JSON is YAML
    writeFileSync(join(folder, "dataset.json"), JSON.stringify({ name: "shapes", size: 30, digest: "d" }));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const write = (lines: readonly LedgerLine[]) =>
    writeFileSync(join(folder, "ledger.ndjson"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const plume = (...args: string[]) =>
    spawnSync(process.execPath, ["coordinator/cli/plume.mjs", "audit", ...args], { encoding: "utf8" });

  it("prints a table and exits 0 for a true ledger", () => {
    write(ledgerOf(12));
    const { status, stdout, stderr } = plume(folder);
    expect(stderr).toBe("");
    expect(stdout).toContain("12 of 12");
    expect(stdout).toContain("3 whole, 6 samples of the next");
    expect(stdout).toContain("exactly once yes");
    expect(status).toBe(0);
  });

  it("names the first fault and exits 1, in JSON too", () => {
    write(ledgerOf(12).filter(({ step }) => step !== 4));
    const plain = plume(folder);
    expect(plain.stdout).toContain("FAULT        step 5: gap: step 4 is missing");
    expect(plain.status).toBe(1);
    const { status, stdout } = plume(folder, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, steps: 4, firstFault: { step: 5 } });
    expect(status).toBe(1);
  });

  it("finds the end that a finished run's ledger has lost", () => {
    write(ledgerOf(9));
    const summary = {
      job: "tiny",
      outcome: "complete",
      steps: 12,
      firstStep: 0,
      samples: 96,
      epochs: 3.2,
      dataset: "shapes",
      fallback: null,
      parameters: 1,
      finalLoss: 1,
      samplesPerSecond: 1,
      weightsSha256: "",
      emaSha256: "",
      workers: 1,
      devices: [],
      transports: [],
      recoveries: 0,
      recoveryLog: [],
      incarnation: 1,
      numericsClasses: [],
      reproducible: true,
      blemishes: [],
      goodput: 1,
      secondsByState: {},
      checkpoint: 12,
      sampleGrid: null,
      wallSeconds: 1,
    };
    writeFileSync(join(folder, "summary.json"), JSON.stringify(summary));
    const { status, stdout } = plume(folder);
    rmSync(join(folder, "summary.json"));
    expect(stdout).toContain("FAULT        step 9: gap: steps 9 to 11 are missing at the end; summary.json counts 12");
    expect(status).toBe(1);
  });

  it("exits 2 for a step to replay that the ledger has no line of, and says which it has", () => {
    write(ledgerOf(3));
    const beyond = plume(folder, "--replay", "3");
    expect(beyond.stderr).toContain("step 3 cannot be computed again: the ledger has no line of it");
    expect(beyond.stderr).toContain("name a step from 0 to 2");
    expect(beyond.status).toBe(2);
    write([]);
    expect(plume(folder, "--replay", "0").stderr).toContain("nothing was committed yet");
    expect(plume(folder, "--replay", "x").stderr).toContain("--replay x is no step");
  });

  it("exits 2 where there is no run's folder, and says what it misses", () => {
    const { status, stderr } = plume(join(folder, "nowhere"));
    expect(stderr).toContain("is no run's folder: it has no job.yaml");
    expect(status).toBe(2);
    expect(plume().status).toBe(2);
  });
});
