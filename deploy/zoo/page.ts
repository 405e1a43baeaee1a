// A system as a page, and all of them as one: self-contained, as plume's reports are.

import { stringify } from "yaml";
import { METRICS, type MetricName } from "../../shared/eval/score.ts";
import { chart, type Series } from "../../shared/report/chart.ts";
import { facts, figure, folded, note, page, safe, section, table } from "../../shared/report/html.ts";
import { short, when, whole } from "../../shared/report/numbers.ts";
import { columnsOf, type Point, smoothed } from "../../shared/report/series.ts";
import type { Measured, Row } from "./measure.ts";
import { cellsOf, costOf, HEADINGS, resultRows } from "./results.ts";

const numbers = HEADINGS.map((_, i) => i + 1);

export function systemPage(measured: Measured, madeMs: number): string {
  const { system, name, seeds } = measured;
  const { title, source, about } = system;
  const head = `<header><h1>${safe(title)}</h1><p>${safe(`${source} · seeds ${seeds.join(", ")}, seen ${when(madeMs)} UTC`)}</p></header><p>${safe(about)}</p>`;
  return page(
    `plume zoo: ${name}`,
    [
      head,
      facts(figuresOf(measured)),
      section("Samples", ...samples(measured)),
      section("How good they are", quality(measured)),
      section("Training loss, smoothed", lossChart(measured)),
      ...measured.sweeps.map(({ sweep, rows, count }) =>
        section(
          sweep.title,
          `<p>${safe(`${sweep.about} Seed ${seeds[0]}, ${count} images a point.`)}</p>`,
          ...(sweep.by === "guidance" ? guidanceCharts(rows) : samplerCharts(rows)),
          folded("as numbers", sweepTable(rows)),
        ),
      ),
      section(
        "Job",
        folded(`deploy/jobs/${system.job}.yaml, every field`, `<pre>${safe(stringify(measured.runs[0]?.spec))}</pre>`),
      ),
    ].join("\n"),
  );
}

export function indexPage(all: readonly Measured[], madeMs: number): string {
  const links = all.map(
    ({ name, system }) => `<li><a href="${name}.html">${safe(system.title)}</a>, ${safe(system.source)}</li>`,
  );
  const rows = resultRows(all);
  return page(
    "plume zoo",
    [
      `<header><h1>The zoo</h1><p>seen ${when(madeMs)} UTC</p></header>`,
      section("Systems", `<ul>${links.join("")}</ul>`),
      section("Results", table(rows, { numbers: rows[0]!.map((_, i) => i).slice(1) }), note(HONEST)),
      ...all.map((each) => section(each.system.title, ...samples(each).slice(0, 1))),
    ].join("\n"),
  );
}

const HONEST =
  "Mean and standard deviation over the seeds of training. The judges are plume's own, trained on the training images alone: their figures compare with each other only, and none is an FID.";

function figuresOf(measured: Measured): [string, string][] {
  const summary = measured.runs[0]?.summary;
  const [wall = "-", rate = "-"] = costOf(measured);
  return [
    ["parameters", short(summary?.parameters)],
    ["steps", summary ? whole(summary.steps) : "-"],
    ["samples", summary ? whole(summary.samples) : "-"],
    ["training, each seed", wall],
    ["images a second", rate],
    ["workers", String(summary?.workers ?? "-")],
    ["device", summary?.devices.join(", ") ?? "-"],
  ];
}

const samples = ({ runs, seeds }: Measured): string[] =>
  runs.flatMap(({ pictures }, i) => {
    const last = pictures.at(-1);
    return last
      ? [
          figure(
            `Seed ${seeds[i]}, step ${whole(last.step)}`,
            `<img alt="samples of seed ${seeds[i]}" src="${last.url}">`,
          ),
        ]
      : [];
  });

/** Each row of the evaluations over the seeds, in their order. */
function quality({ evaluations }: Measured): string {
  const [first] = evaluations;
  if (!first) return note("nothing is measured yet");
  const rows = first.rows.map(({ name }, i) => [name, ...cellsOf(evaluations.flatMap((each) => each.rows[i] ?? []))]);
  return table([["images", ...HEADINGS], ...rows], { numbers }) + note(`${first.count} images of each. ${HONEST}`);
}

function lossChart({ runs, seeds }: Measured): string {
  const series = runs.map(({ steps }, i): Series => {
    const points = steps.map(({ step, loss }) => ({ x: step, y: loss }));
    return { name: `seed ${seeds[i]}`, colour: i, columns: columnsOf(smoothed(points)) };
  });
  return chart({ series, xLabel: "step", scale: "log", wide: true });
}

const curve = (name: string, colour: number, points: readonly Point[]): Series => ({
  name,
  colour,
  columns: columnsOf([...points].sort((a, b) => a.x - b.x)),
});

const pointsOf = (rows: readonly Row[], by: "evaluations" | "guidance", metric: MetricName): Point[] =>
  rows.flatMap((row) => {
    const [x, y] = [row[by], row.metrics[metric]?.mean];
    return x === undefined || y === undefined ? [] : [{ x, y }];
  });

function guidanceCharts(rows: readonly Row[]): string[] {
  const shares = (["accuracy", "precision", "recall"] as const).map((metric, i) =>
    curve(METRICS[metric].heading, i, pointsOf(rows, "guidance", metric)),
  );
  const distance = [curve(METRICS.frechet.heading, 3, pointsOf(rows, "guidance", "frechet"))];
  return [
    `<div class="pair">${figure("Accuracy, precision, recall", chart({ series: shares, xLabel: "guidance scale" }))}${figure("Distance", chart({ series: distance, xLabel: "guidance scale" }))}</div>`,
  ];
}

/** As many curves as a person can tell apart. */
const CURVES = 7;

/** The best at the fewest evaluations first. */
function samplerCharts(rows: readonly Row[]): string[] {
  const names = [...new Set(rows.map(({ sampler }) => sampler!))];
  const best = (name: string) =>
    Math.min(
      ...pointsOf(
        rows.filter(({ sampler }) => sampler === name),
        "evaluations",
        "frechet",
      ).map(({ y }) => y),
    );
  const sorted = names.sort((a, b) => best(a) - best(b));
  const charts = Array.from({ length: Math.ceil(sorted.length / CURVES) }, (_, k) =>
    sorted.slice(k * CURVES, (k + 1) * CURVES),
  ).map((part) => {
    const series = part.map((name, i) =>
      curve(
        name,
        i,
        pointsOf(
          rows.filter(({ sampler }) => sampler === name),
          "evaluations",
          "frechet",
        ),
      ),
    );
    const options = { series, xLabel: "evaluations of the network an image", scale: "log" } as const;
    return figure(`${METRICS.frechet.heading}: ${part[0]} to ${part.at(-1)}`, chart(options));
  });
  const pairs = [];
  for (let k = 0; k < charts.length; k += 2) pairs.push(`<div class="pair">${charts.slice(k, k + 2).join("")}</div>`);
  return pairs;
}

function sweepTable(rows: readonly Row[]): string {
  const body = rows.map((row) => [
    `${row.sampler}, ${row.steps} steps`,
    short(row.guidance),
    short(row.evaluations),
    ...cellsOf([row]),
  ]);
  return table([["sampler", "guidance", "evaluations", ...HEADINGS], ...body], {
    numbers: [1, 2, ...numbers.map((i) => i + 2)],
  });
}
