import { cpSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { SOURCES } from "../../shared/data/sources/index.ts";
import type { Summary } from "../../shared/summary.ts";
import { plume, plumeJson, scratchFolder, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();
const run = scratch.file("run");
let summary: Summary;

beforeAll(async () => {
  summary = await train(tinyJob(scratch.path), run, "--set", "checkpoint.everySteps=4");
});

describe("what a run leaves", () => {
  it("is all there, and the summary says what was done", () => {
    for (const file of [
      "job.yaml",
      "dataset.json",
      "ledger.ndjson",
      "metrics.ndjson",
      "loss.svg",
      "logs/coordinator.log",
      "checkpoints/step-000000008/manifest.json",
    ])
      expect(readFileSync(`${run}/${file}`).length, file).toBeGreaterThan(0);
    expect(summary).toMatchObject({
      outcome: "complete",
      steps: 8,
      samples: 128,
      epochs: 0.5,
      workers: 2,
      recoveries: 0,
      checkpoint: 8,
    });
    expect(summary.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(summary.sampleGrid).toBe("step-00000008.png");
  });
});

describe("plume report and compare", () => {
  it("tell a real run from its folder, and know a copy of it for the same bits", async () => {
    const page = scratch.file("page.html");
    const told = await plumeJson("report", run, "-o", page);
    expect(told).toMatchObject({
      job: "tiny",
      outcome: "complete",
      steps: 8,
      samples: 1,
      exactlyOnce: true,
      faults: [],
    });
    const html = readFileSync(page, "utf8");
    expect(Buffer.byteLength(html)).toBe(told.bytes);
    for (const text of [summary.weightsSha256, "worker-0", "worker-1", "checkpoint", "data:image/webp;base64,"])
      expect(html).toContain(text);
    cpSync(run, scratch.file("copy"), { recursive: true });
    expect(await plumeJson("compare", run, scratch.file("copy"))).toMatchObject({
      sameWeights: true,
      sameEma: true,
      verdict: "the weights and their EMA are the same bits after 8 steps",
      differences: [],
    });
  });
});

describe("plume sample", () => {
  it("draws the very grid that the workers drew", async () => {
    const picture = scratch.file("again.png");
    const { code, stderr } = await plume("sample", run, "-o", picture);
    expect(code, stderr).toBe(0);
    expect(readFileSync(picture).equals(readFileSync(`${run}/samples/${summary.sampleGrid}`))).toBe(true);
  });

  it("writes arrays that NumPy reads, of one class, by either sampler and either weights", async () => {
    const file = scratch.file("x.npy");
    const args = [
      "sample",
      `${run}/checkpoints/step-000000004`,
      "--class",
      "ring",
      "--count",
      "3",
      "--sampler",
      "ancestral",
      "--weights",
      "raw",
    ];
    expect(await plumeJson(...args, "-o", file)).toMatchObject({ count: 3, step: 4, weights: "raw" });
    const bytes = readFileSync(file);
    expect(bytes.subarray(0, 6).toString("latin1")).toBe("\x93NUMPY");
    const header = bytes.subarray(10, 10 + bytes.readUInt16LE(8)).toString("latin1");
    expect(header).toContain("'shape': (3, 8, 8, 1,)");
    expect((10 + header.length) % 64).toBe(0);
    expect(bytes.length).toBe(10 + header.length + 3 * 64);
  });
});

describe("plume audit", () => {
  it("proves the run, and computes a step again to the same digest", async () => {
    const report = await plumeJson("audit", run, "--replay", "4");
    expect(report).toMatchObject({ ok: true, steps: 8, samples: 128, replay: { ok: true, step: 4 } });
  });
});

describe("plume checkpoints, data and doctor", () => {
  it("list and verify what the run has kept", async () => {
    const listed = await plumeJson("checkpoints", "ls", run);
    expect((listed.checkpoints as { step: number }[]).map(({ step }) => step)).toEqual([4, 8]);
    const verified = await plumeJson("checkpoints", "verify", run);
    expect((verified.checkpoints as { ok: boolean }[]).every(({ ok }) => ok)).toBe(true);
  });

  it("show a data set and draw it", async () => {
    const picture = scratch.file("data.png");
    const shown = await plumeJson("data", "inspect", "shapes:50", "--image-size", "16", "--count", "20", "-o", picture);
    expect(shown).toMatchObject({ size: 50, height: 16, channels: 1 });
    expect(readFileSync(picture).subarray(1, 4).toString()).toBe("PNG");
    expect((await plumeJson("data", "ls")).sources).toHaveLength(Object.keys(SOURCES).length);
  });

  it("say what this machine has", async () => {
    const { findings } = (await plumeJson("doctor")) as { findings: { what: string; state: string }[] };
    expect(findings.find(({ what }) => what === "backend wasm")?.state).toBe("ok");
  });
});

describe("help", () => {
  it.each([["train"], ["sample"], ["edit"], ["audit"], ["checkpoints"], ["data"], ["doctor"]])(
    "plume %s --help shows an example",
    async (command) => {
      const { code, stdout } = await plume(command, "--help");
      expect(code).toBe(0);
      expect(stdout).toMatch(/Examples?:\n {2}plume /);
    },
  );
});
