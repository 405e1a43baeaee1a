// Runs beside each other: the same curves in one picture, what their jobs differ in, what came of them, whether they are the
// same bits.

import type { StepLine } from "../bus/step-line.ts";
import { samplesOf } from "../config/turns.ts";
import { counted } from "../counted.ts";
import { chart, type Series } from "./chart.ts";
import { figure, note, page, safe, section, table } from "./html.ts";
import { when } from "./numbers.ts";
import type { RunRecord } from "./read-run.ts";
import { figuresOf, TONES } from "./report.ts";
import { columnsOf, smoothed } from "./series.ts";

interface FieldDifference {
  /** Dotted, below spec. */
  readonly path: string;
  /** As JSON, one a run; empty where the run has no such field. */
  readonly values: readonly string[];
}

export interface Comparison {
  readonly runs: readonly string[];
  /** Null when a run has no digest of its weights. */
  readonly sameWeights: boolean | null;
  readonly sameEma: boolean | null;
  readonly verdict: string;
  readonly differences: readonly FieldDifference[];
}

export function compareRuns(runs: readonly RunRecord[]): Comparison {
  const names = namesOf(runs);
  const sameWeights = same(runs.map(({ summary }) => summary?.weightsSha256));
  const sameEma = same(runs.map(({ summary }) => summary?.emaSha256));
  return {
    runs: names,
    sameWeights,
    sameEma,
    verdict: verdictOf(runs, names, sameWeights, sameEma),
    differences: differencesOf(runs),
  };
}

const same = (digests: readonly (string | undefined)[]): boolean | null =>
  digests.some((digest) => digest === undefined) ? null : new Set(digests).size === 1;

function verdictOf(
  runs: readonly RunRecord[],
  names: readonly string[],
  weights: boolean | null,
  ema: boolean | null,
): string {
  const open = names.filter((_, i) => !runs[i]!.summary);
  if (weights === null)
    return `whether the weights are the same bits is not known: no summary.json in ${open.join(", ")}`;
  const steps = new Set(runs.map(({ summary }) => summary!.steps));
  const where = steps.size === 1 ? ` after ${counted([...steps][0]!, "step")}` : "";
  if (weights)
    return `the weights${ema ? " and their EMA" : ""} are the same bits${where}${ema ? "" : "; their EMA is not"}`;
  const alike = [...groupsOf(runs)].filter((group) => group.length > 1);
  const told = alike.map((group) => `those of ${listed(group.map((i) => names[i]!))} are`);
  return `the weights are not the same bits${where}${told.length > 0 ? `; ${told.join(", ")}` : ""}`;
}

const listed = (names: readonly string[]): string => `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

/** Runs, by their index, that ended with the same weights. */
function groupsOf(runs: readonly RunRecord[]): Iterable<readonly number[]> {
  const groups = new Map<string, number[]>();
  for (const [i, { summary }] of runs.entries())
    if (summary) groups.set(summary.weightsSha256, [...(groups.get(summary.weightsSha256) ?? []), i]);
  return groups.values();
}

/** It has the weights of one before it, and its curve lies on that one's. */
const isAgain = (runs: readonly RunRecord[], i: number): boolean =>
  [...groupsOf(runs)].some((group) => group.indexOf(i) > 0);

/** Folder names, as short as they differ. */
function namesOf(runs: readonly RunRecord[]): string[] {
  const paths = runs.map(({ folder }) => folder.split("/"));
  let shared = 0;
  const shortest = Math.min(...paths.map(({ length }) => length));
  while (shared < shortest - 1 && paths.every((path) => path[shared] === paths[0]![shared])) shared++;
  return paths.map((path) => path.slice(shared).join("/"));
}

function differencesOf(runs: readonly RunRecord[]): FieldDifference[] {
  const flat = runs.map(({ spec }) => flattened(spec));
  const paths = [...new Set(flat.flatMap((fields) => [...fields.keys()]))];
  return paths
    .map((path) => ({ path, values: flat.map((fields) => fields.get(path) ?? "") }))
    .filter(({ values }) => new Set(values).size > 1);
}

function flattened(value: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    for (const [key, inner] of Object.entries(value)) flattened(inner, path ? `${path}.${key}` : key, into);
  else if (value !== undefined && path) into.set(path, JSON.stringify(value));
  return into;
}

export function comparePage(runs: readonly RunRecord[], comparison: Comparison, madeMs: number): string {
  const { runs: names, verdict, sameWeights, differences } = comparison;
  const tone = sameWeights === null ? "warn" : sameWeights ? "good" : "bad";
  const badges = runs.map(
    ({ outcome }, i) =>
      `<span><i style="background:var(--c${i % 8})"></i>${safe(names[i]!)} <span class="${TONES[outcome]}">${outcome}</span></span>`,
  );
  const head = `<header><h1>${safe(names.join(", "))}</h1><p class="${tone}">${safe(verdict)}</p><p>seen ${when(madeMs)} UTC</p></header><div class="legend">${badges.join("")}</div>`;
  const faults = runs.flatMap(({ faults: all }, i) => all.map((fault) => `<li>${safe(`${names[i]}: ${fault}`)}</li>`));
  const overlay = (title: string, field: "loss" | "imagesPerSecond", xLabel: string, axis: Axis, wide = false) =>
    figure(
      title,
      chart({
        series: runs.map((run, i) => ({ ...curveOf(run, names[i]!, i, field, axis), dashed: isAgain(runs, i) })),
        xLabel,
        scale: field === "loss" ? "log" : "linear",
        wide,
      }),
    );
  const results = runs.map((run) => figuresOf(run));
  const rows = results[0]!.map(([name], k) => [name, ...results.map((each) => each[k]![1])]);
  const hashes = runs.map(({ summary }) => summary?.weightsSha256.slice(0, 16) ?? "-");
  return page(
    names.join(", "),
    [
      head,
      faults.length > 0 ? `<ul class="faults">${faults.join("")}</ul>` : "",
      section("Results", table([["", ...names], ...rows, ["weights sha256", ...hashes]])),
      section(
        "Loss, smoothed",
        overlay("By step", "loss", "step", byStep, true),
        `<div class="pair">${overlay("By samples", "loss", "samples", bySamples)}${overlay("By time", "loss", "seconds since the first step began", byTime)}</div>`,
      ),
      section(
        "Images a second, smoothed",
        `<div class="pair">${overlay("By step", "imagesPerSecond", "step", byStep)}${overlay("By time", "imagesPerSecond", "seconds since the first step began", byTime)}</div>`,
      ),
      section(
        "What the jobs differ in",
        differences.length === 0
          ? note("nothing")
          : table([
              ["field", ...names],
              ...differences.map(({ path, values }) => [path, ...values.map((each) => each || "not set")]),
            ]),
      ),
    ]
      .filter(Boolean)
      .join("\n"),
  );
}

/** Where each step lies. */
type Axis = (run: RunRecord) => readonly number[];

const byStep: Axis = ({ steps }) => steps.map(({ step }) => step);

const bySamples: Axis = ({ steps, job }) => steps.map(({ step }) => (job ? samplesOf(job.spec, step + 1) : Number.NaN));

/** By the steps' own times; without those, by what they took, pauses and restarts left out. */
const byTime: Axis = ({ steps }) => {
  const first = steps[0];
  if (first?.atMs !== undefined) {
    const began = first.atMs - 1000 * first.seconds.total;
    return steps.map(({ atMs }) => ((atMs ?? Number.NaN) - began) / 1000);
  }
  return added(steps);
};

function added(steps: readonly StepLine[]): number[] {
  let all = 0;
  return steps.map(({ seconds }) => {
    all += Number.isFinite(seconds.total) ? seconds.total : 0;
    return all;
  });
}

function curveOf(run: RunRecord, name: string, colour: number, field: "loss" | "imagesPerSecond", axis: Axis): Series {
  const xs = axis(run);
  const points = run.steps.map((step, i) => ({ x: xs[i]!, y: step[field] })).filter(({ x }) => Number.isFinite(x));
  return { name, colour, columns: columnsOf(smoothed(points)) };
}
