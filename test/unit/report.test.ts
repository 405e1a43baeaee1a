import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { dumpJob, parseJob } from "../../shared/config/load.ts";
import { comparePage, compareRuns } from "../../shared/report/compare.ts";
import { marksOf } from "../../shared/report/moments.ts";
import { linearTicks, logTicks, seconds, short } from "../../shared/report/numbers.ts";
import { readRun } from "../../shared/report/read-run.ts";
import { reportPage } from "../../shared/report/report.ts";
import { columnsOf, smoothed } from "../../shared/report/series.ts";
import { createTimeline } from "../../shared/report/timeline.ts";
import { plume, scratchFolder } from "../support/plume.ts";
import { BEGAN_MS, writeEvents, writeRun } from "../support/written-run.ts";

/** Names of a page's elements that are open at the end, or closed without having been open. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const faults: string[] = [];
  const text = html.replace(/<(script|style)\b[^>]*>.*?<\/\1>/gs, "<$1></$1>");
  for (const [, end, name, self] of text.matchAll(/<(\/?)([a-z][a-z0-9]*)\b(?:[^<>"]|"[^"]*")*?(\/?)>/gi)) {
    if (self || ["meta", "input", "img", "br"].includes(name!)) continue;
    if (!end) open.push(name!);
    else if (open.pop() !== name) faults.push(`</${name}>`);
  }
  return [...faults, ...open];
}

/** A page that is whole, and asks nobody for anything. */
function expectSelfContained(html: string): void {
  expect(unbalanced(html)).toEqual([]);
  expect(html).toContain("default-src 'none'");
  expect(html.match(/(?:src|href)="(?!data:)[^"]*"/g)).toBeNull();
  expect(/<link|<script src|@import|url\(/.exec(html)).toBeNull();
  for (const [svg] of html.matchAll(/<svg.*?<\/svg>/gs)) expect(/.{40}(NaN|undefined|Infinity)/s.exec(svg)).toBeNull();
}

const MADE_MS = 1_795_000_999_000;

describe("plume report", () => {
  it("tells a run from its folder: curves, who computed, proof, events at their steps", async () => {
    using scratch = scratchFolder();
    writeRun(scratch.path, { steps: 60, of: 100 });
    writeEvents(scratch.path, [
      ["1-1", BEGAN_MS - 900, { kind: "phase", phase: "Training", reason: "2 workers ready", step: 0 }],
      ["1-2", BEGAN_MS - 800, { kind: "worker", workerId: "worker-0", change: "joined", reason: "wasm: cpu, shm" }],
      ["1-3", BEGAN_MS + 2_050, { kind: "worker", workerId: "worker-1", change: "lost", reason: "its <stream> broke" }],
      [
        "1-4",
        BEGAN_MS + 3_050,
        { kind: "checkpoint", step: 30, key: "step-000000030/", bytes: 2e6, seconds: 0.1, stallSeconds: 0 },
      ],
      ["2-1", BEGAN_MS + 4_050, { kind: "scale", before: 2, replicas: 3 }],
      ["2-2", BEGAN_MS + 6_000, { kind: "end", outcome: "failed", reason: "the disk is full" }],
      ["2-3", BEGAN_MS + 6_010, { kind: "worker", workerId: "worker-0", change: "lost", reason: "its stream broke" }],
    ]);
    const run = await readRun(scratch.path);
    expect(run).toMatchObject({ outcome: "failed", reason: "the disk is full", name: "written", faults: [] });
    expect(run.audit).toMatchObject({ ok: true, steps: 60, samples: 240 });
    expect(run.timeline!.lanes.map(({ worker, share }) => [worker, share.toFixed(3)])).toEqual([
      ["worker-0", "0.667"],
      ["worker-1", "0.333"],
    ]);
    expect(marksOf(run).map(({ label, tone }) => [label, tone])).toEqual([
      ["step 0: worker-0 joined: wasm: cpu, shm", "good"],
      ["step 20: worker-1 lost: its <stream> broke", "bad"],
      ["step 40: coordinator, incarnation 2", "bad"],
      ["step 40: scaled from 2 to 3 workers", "good"],
    ]);
    const html = reportPage(run, MADE_MS);
    expectSelfContained(html);
    for (const text of [
      "Training loss",
      "60 of 100",
      "was used exactly once an epoch",
      "step-000000030/",
      "the disk is full",
    ])
      expect(html).toContain(text);
    expect(html).not.toContain("<stream>");
    expect(html.match(/<svg class="chart"/g)).toHaveLength(6);
  });

  it("has a curve of each of two networks that play against each other", async () => {
    using scratch = scratchFolder();
    writeRun(scratch.path, { steps: 60 });
    const run = await readRun(scratch.path);
    const fields = ["model.type=dcgan", "diffusion.objective=hinge", "sampling.sampler=generator", "sampling.steps=1"];
    const job = parseJob(dumpJob(run.job!), { set: fields });
    expect(reportPage(run, MADE_MS)).toContain('aria-label="loss of each step, smoothed by step"');
    const [, curves] = /aria-label="([^"]*) by step"/.exec(reportPage({ ...run, job }, MADE_MS))!;
    expect(curves).toContain("the discriminator&#39;s loss, smoothed, the generator&#39;s loss of each step");
  });

  it("stays small and whole however long the run was and however many pictures it drew", async () => {
    using scratch = scratchFolder();
    writeRun(scratch.path, { steps: 30_000 });
    const noise = Buffer.from(Array.from({ length: 600 * 300 * 3 }, (_, i) => (i * 2654435761) >>> 24));
    const picture = await sharp(noise, { raw: { width: 600, height: 300, channels: 3 } })
      .png()
      .toBuffer();
    for (let k = 1; k <= 23; k++)
      writeFileSync(scratch.file("samples", `step-${String(k * 1000).padStart(8, "0")}.png`), picture);
    const run = await readRun(scratch.path);
    expect(run.audit).toMatchObject({ ok: true, steps: 30_000 });
    expect(run.pictures.map(({ step }) => step)).toHaveLength(20);
    expect([run.pictures[0]!.step, run.pictures.at(-1)!.step]).toEqual([1_000, 23_000]);
    const html = reportPage(run, MADE_MS);
    expect(html.length).toBeLessThan(5_000_000);
    expectSelfContained(html);
  }, 120_000);

  it("makes the best of a folder that is half there, and names what is missing", async () => {
    using scratch = scratchFolder();
    const whole = (name: string) => {
      writeRun(scratch.file(name), { steps: 20 });
      return scratch.file(name);
    };
    const torn = whole("torn");
    for (const name of ["ledger.ndjson", "metrics.ndjson"])
      truncateSync(`${torn}/${name}`, readFileSync(`${torn}/${name}`).length - 30);
    writeFileSync(`${torn}/events.ndjson`, '{"id":"1-1","atMs":1,"event":{"kind":"warning","message":"x"}}\n{"id":"1-');
    writeFileSync(`${torn}/summary.json`, '{"job":');
    const run = await readRun(torn);
    expect(run.steps).toHaveLength(19);
    expect(run.audit).toMatchObject({ ok: true, steps: 19 });
    expect(run.outcome).toBe("killed");
    expect(run.faults).toEqual(["torn/summary.json is no summary of a run"]);

    const odd = whole("odd");
    for (const name of ["job.yaml", "dataset.json", "metrics.ndjson"]) rmSync(`${odd}/${name}`);
    appendFileSync(`${odd}/ledger.ndjson`, "no line\n");
    mkdirSync(`${odd}/samples`, { recursive: true });
    writeFileSync(`${odd}/samples/step-00000001.png`, "no picture");
    const { faults, timeline, outcome } = await readRun(odd);
    expect(outcome).toBe("unknown");
    expect(timeline!.to).toBe(20);
    expect(faults.join("\n")).toMatch(
      /job\.yaml is not there\ndataset\.json is not there\nevents\.ndjson .*\nmetrics\.ndjson is not there\nthe ledger proves nothing: ledger\.ndjson:21 is no ledger line: .*\nsamples of step 1 cannot be read: /,
    );

    const gap = whole("gap");
    const lines = readFileSync(`${gap}/ledger.ndjson`, "utf8").split("\n");
    writeFileSync(`${gap}/ledger.ndjson`, [...lines.slice(0, 7), ...lines.slice(8)].join("\n"));
    const broken = await readRun(gap);
    expect(broken.audit!.firstFault).toEqual({ step: 8, message: "gap: step 7 is missing" });
    expect(broken.timeline!.to).toBe(20);

    const bare = scratch.file("bare");
    mkdirSync(bare);
    writeFileSync(
      `${bare}/job.yaml`,
      "spec: { seed: 1, monitoring: { token: aaaabbbbccccdddd0000 }, future: yes }\nmetadata: { name: bare }",
    );
    const unknown = await readRun(bare);
    expect(unknown).toMatchObject({ name: "bare", job: null, steps: [], timeline: null, audit: null });
    for (const each of [run, await readRun(odd), broken, unknown]) {
      const html = reportPage(each, MADE_MS);
      expectSelfContained(html);
      expect(html).not.toContain("aaaabbbb");
    }
  });

  it("refuses what is no run's folder, with exit code 2 and what to name", async () => {
    using scratch = scratchFolder();
    for (const args of [
      ["report", scratch.path],
      ["report", scratch.file("nothing")],
      ["compare", scratch.path, scratch.path],
    ]) {
      const { code, stderr } = await plume(...args);
      expect(code).toBe(2);
      expect(stderr).toMatch(/is no (run's )?folder/);
      expect(stderr).toContain("for example runs/fashion");
    }
    writeRun(scratch.file("run"), { steps: 3 });
    const unwritable = await plume("report", scratch.file("run"), "-o", scratch.file("no", "such", "folder.html"));
    expect(unwritable.code).toBe(2);
    expect(unwritable.stderr).toContain("name another file with -o");
    const one = await plume("compare", scratch.file("run"));
    expect(one.code).toBe(2);
    expect(one.stderr).toContain("cannot be compared");
  });
});

describe("plume compare", () => {
  it("lays runs over each other, names what their jobs differ in, and says whether the bits are the same", async () => {
    using scratch = scratchFolder();
    writeRun(scratch.file("a"), { steps: 50 });
    writeRun(scratch.file("b"), { steps: 40, lr: 1e-3, of: 50 });
    const runs = [await readRun(scratch.file("a")), await readRun(scratch.file("b"))];
    const comparison = compareRuns(runs);
    expect(comparison).toEqual({
      runs: ["a", "b"],
      sameWeights: null,
      sameEma: null,
      verdict: "whether the weights are the same bits is not known: no summary.json in a, b",
      differences: [{ path: "training.optimizer.lr", values: ["0.002", "0.001"] }],
    });
    const html = comparePage(runs, comparison, MADE_MS);
    expectSelfContained(html);
    expect(html.match(/<svg class="chart"/g)).toHaveLength(5);

    const told = await plume("compare", scratch.file("a"), scratch.file("b"), "-o", scratch.file("c.html"), "--json");
    expect(told.code).toBe(0);
    expect(JSON.parse(told.stdout)).toMatchObject({ ...comparison, file: scratch.file("c.html") });
    expect(readFileSync(scratch.file("c.html"), "utf8")).toContain("training.optimizer.lr");
  });
});

describe("the parts of a page", () => {
  it("curves are made fewer without losing their ends, their extremes or their mean", () => {
    const points = Array.from({ length: 10_000 }, (_, x) => ({ x, y: x === 5_000 ? 9 : 1 }));
    const columns = columnsOf(points, 500);
    expect(columns).toHaveLength(500);
    expect(Math.max(...columns.map(({ high }) => high))).toBe(9);
    expect(columns.reduce((sum, { y }) => sum + y, 0) / 500).toBeCloseTo(1.0008, 9);
    expect(
      columnsOf([
        { x: 0, y: Number.NaN },
        { x: 1, y: 2 },
      ]),
    ).toEqual([{ x: 1, y: 2, low: 2, high: 2 }]);
    expect(smoothed(points.slice(0, 100)).every(({ y }) => y === 1)).toBe(true);
    expect(smoothed([])).toEqual([]);
  });

  it("a timeline keeps every micro-batch, in no more stretches than a picture has room for", () => {
    const maker = createTimeline();
    expect(maker.made()).toBeNull();
    for (let step = 7; step < 50_007; step++)
      maker.add(step, [
        { lo: 0, hi: 3, worker: "a" },
        { lo: 3, hi: 4, worker: step < 25_007 ? "b" : "c" },
      ]);
    const { from, to, stretch, lanes } = maker.made()!;
    expect([from, to]).toEqual([7, 50_007]);
    expect(Math.ceil((to - from) / stretch)).toBe(lanes[0]!.shares.length);
    expect(lanes[0]!.shares.length).toBeLessThanOrEqual(800);
    expect(lanes.map(({ worker, share }) => [worker, share])).toEqual([
      ["a", 0.75],
      ["b", 0.125],
      ["c", 0.125],
    ]);
    expect(lanes[2]!.shares[0]).toBe(0);
    expect(lanes[2]!.shares.at(-1)).toBe(0.25);
  });

  it("numbers are short and ticks are round", () => {
    expect([0, 1, 0.25, 1234.5, 12_345, 2e-5, 3_400_000, null].map(short)).toEqual([
      "0",
      "1",
      "0.25",
      "1235",
      "12.35k",
      "2e\u22125",
      "3.4M",
      "-",
    ]);
    expect([0.004, 12.34, 75, 7_300].map(seconds)).toEqual(["4 ms", "12.3 s", "1 min 15 s", "2 h 01 min"]);
    expect(linearTicks(0, 300, 5)).toEqual([0, 100, 200, 300]);
    expect(linearTicks(3, 3, 5)).toEqual([3]);
    expect(logTicks(0.01, 100_000)).toEqual([0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000]);
  });
});
