// The zoo's table, and its pages of answers as the commands give them.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { waysOf } from "../../coordinator/cli/commands/eval/ways.ts";
import type { Measured, Point } from "../../deploy/zoo/measure.ts";
import type { MeasureName } from "../../deploy/zoo/measures/index.ts";
import { indexPage, systemPage } from "../../deploy/zoo/page.ts";
import { resultsText } from "../../deploy/zoo/results.ts";
import { type Sweep, SYSTEM_NAMES, SYSTEMS, type System } from "../../deploy/zoo/systems.ts";
import { loadJob } from "../../shared/config/load.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { chainKind, noiseProcess } from "../../shared/diffusion/processes/index.ts";
import { METRIC_NAMES } from "../../shared/eval/score.ts";
import { drawsEmbeddings } from "../../shared/models/index.ts";
import { type RunRecord, readRun } from "../../shared/report/read-run.ts";
import { ROOT } from "../../shared/root.ts";
import { scratchFolder } from "../support/plume.ts";
import { writeRun } from "../support/written-run.ts";

const systems: Readonly<Record<string, System>> = SYSTEMS;
const systemOf = (name: string): System => systems[name]!;
const all = Object.entries(systems);

function specOf({ job, set = [], needs = {} }: System): JobSpec {
  const models = Object.keys(needs).map((model) => `models.${model}.from=file:///somewhere`);
  return loadJob(join(ROOT, "deploy/jobs", `${job}.yaml`), { set: [...set, ...models] }).spec;
}

/** What a job must be for a kind of measuring to say something of it. */
const FITS: Readonly<Record<MeasureName, (spec: JobSpec) => boolean>> = {
  eval: ({ data, model, models }) =>
    data.source === "fashion-mnist" && (model.classes === 10 || models.classifier !== undefined),
  likelihood: ({ diffusion }) => {
    const { sde, flow } = noiseProcess(diffusion);
    return diffusion.process === "ddpm" || (sde ?? flow) !== undefined;
  },
  noised: ({ model }) => model.type === "classifier",
  coverage: ({ data }) => data.source.startsWith("gaussian-grid:"),
  captions: ({ model }) => model.text !== undefined,
  retrieval: ({ model }) => model.type === "clip",
  embeddings: ({ model }) => drawsEmbeddings(model.type),
  bound: ({ diffusion }) => chainKind(diffusion.process) !== undefined,
};

describe("the zoo", () => {
  it("has every job that shows a system", () => {
    const demos = ["first", "shapes"];
    const jobs = readdirSync(join(ROOT, "deploy/jobs")).map((file) => file.replace(/\.yaml$/, ""));
    expect([...new Set(all.map(([, { job }]) => job)), ...demos].sort()).toEqual(jobs.sort());
  });

  it.each(all)("has a job of %s that what is measured fits, drawn in ways that it can be", (_, system) => {
    const spec = specOf(system);
    for (const measure of system.measures) expect(FITS[measure](spec), measure).toBe(true);
    for (const { sampler, steps, guidance, classifierScale } of system.sweeps ?? []) {
      const lists = { sampler, steps, guidance, classifierScale };
      const told = Object.entries(lists).flatMap(([field, values]) => (values ? [[field, values.join(",")]] : []));
      const ways = waysOf(Object.fromEntries(told))(spec, spec.models.classifier);
      expect(ways.length).toBe(Object.values(lists).reduce((product, values) => product * (values?.length ?? 1), 1));
    }
  });

  it.each(all)("trains what %s needs before it, in no circle, and knows what stands beside it", (name, system) => {
    const path = [name];
    for (let { needs } = system; needs; needs = systemOf(path.at(-1)!).needs) {
      const [needed] = Object.values(needs);
      expect(SYSTEM_NAMES).toContain(needed);
      expect(path).not.toContain(needed);
      path.push(needed!);
    }
    for (const { beside = [], by } of system.sweeps ?? [])
      for (const other of beside) {
        expect(other).not.toBe(name);
        expect(systemOf(other).sweeps?.some((sweep) => sweep.by === by)).toBe(true);
      }
  });
});

describe("a page of the zoo", () => {
  const scratch = scratchFolder();
  let run: RunRecord;
  beforeAll(async () => {
    writeRun(scratch.file("run"), { steps: 40 });
    run = await readRun(scratch.file("run"));
  });

  const measured = (name: string, more: Partial<Measured>): Measured => ({
    ...{ name, system: systemOf(name), seeds: [0, 1], runs: [run, run], answers: new Map(), sweeps: [] },
    ...more,
  });
  const metrics = (frechet: number) =>
    Object.fromEntries(
      METRIC_NAMES.map((name) => [name, { mean: name === "frechet" ? frechet : 0.5 }]),
    ) as Point["metrics"];
  const point = (curve: string, evaluations: number, frechet: number): Point => ({
    ...{ kind: "generated", name: "final", sampler: "heun", steps: evaluations, curve, evaluations },
    metrics: metrics(frechet),
  });

  it("shows a student's curve beside its teacher's, the one that comes lowest first, on the same axis", () => {
    const points = [
      ...[point("EDM", 1, 600), point("EDM", 35, 20)],
      ...[point("Consistency distillation", 2, 19), point("Consistency distillation", 1, 60)],
    ];
    const sweep: Sweep = systemOf("consistency-distillation").sweeps![0]!;
    const page = systemPage(measured("consistency-distillation", { sweeps: [{ sweep, points, count: 100 }] }), 0);
    expect(page).toContain("Needs edm as its teacher, trained with the same seed.");
    const legend = /<div class="legend">.*?<\/div>/.exec(page.slice(page.indexOf("Few evaluations")))![0];
    expect(legend.replace(/<[^>]*>/g, " ").trim()).toMatch(/^Consistency distillation\s+EDM$/);
    // Where few evaluations are, there is room: from 1 to 2 as far as from 5 to 10.
    const picture = /<svg class="chart"[^>]* data-log>.*?<\/svg>/s.exec(
      page.slice(page.indexOf("Few evaluations")),
    )![0];
    const ticks = [...picture.matchAll(/<text x="([\d.]+)"[^>]*text-anchor="middle">(\d+)</g)].map(([, at, tick]) => [
      tick,
      at,
    ]);
    expect(ticks.map(([tick]) => tick)).toEqual(["1", "2", "5", "10", "20"]);
    expect(Number(ticks[3]![1]) - Number(ticks[2]![1])).toBeCloseTo(Number(ticks[1]![1]) - Number(ticks[0]![1]), 0);
    expect(page).toMatch(/Consistency distillation, 1 steps.*?60\.0/s);
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  it("shows a bound beside what is exact and the prior, over the seeds", () => {
    const answers = [-2.4, -2.42].map((bits) => ({
      ...{ images: 500, bits: { mean: -bits, standardError: 0.005 } },
      prior: { bits: 20 },
    }));
    const heartbeat = measured("heartbeat", { answers: new Map([["bound", answers]]) });
    for (const page of [systemPage(heartbeat, 0), indexPage([heartbeat], 0)])
      expect(page.replace(/<[^>]*>/g, " ")).toMatch(/-2\.410 ± 0\.014 +-2\.322 +-20\.000 ± 0\.000 +17\.590 ± 0\.014/);
  });

  it("shows a classifier's accuracy by noise, and a likelihood beside what needs no training", () => {
    const levels = [0, 1].map((k) => ({
      t: 50 + 900 * k,
      noise: 0.1 + 9 * k,
      accuracy: 0.8 - 0.6 * k,
      crossEntropy: 1,
    }));
    const noised = [{ images: 500, classes: 10, levels }];
    const bits = { model: 3.2, webp: 2.9, png: 3.1, histogram: 4.3, uniform: 8 };
    const told = resultsText([
      measured("classifier", { answers: new Map([["noised", noised]]) }),
      measured("ddpm", { answers: new Map([["likelihood", [{ kind: "bound", images: 9, bits }]]]) }),
      measured("vp", { answers: new Map([["likelihood", [{ kind: "estimate", images: 9, bits }]]]) }),
    ]);
    expect(told).toContain("| classifier | 0.800 | 0.200 | 0.500 | 1.000 |");
    expect(told).toContain("| ddpm | ≤ 3.200 | 2.900 | 3.100 | 4.300 | 8.000 |");
    expect(told).toContain("| vp | 3.200 | 2.900 |");
    const page = systemPage(measured("classifier", { answers: new Map([["noised", noised]]) }), 0);
    expect(page).toContain("Accuracy by noise level");
    expect(page).toContain("Chance: accuracy 0.100, cross-entropy 2.303");
  });
});
