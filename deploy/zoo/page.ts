// A system as a page, and all of them as one: self-contained, as plume's reports are.

import { stringify } from "yaml";
import { chart, type Series } from "../../shared/report/chart.ts";
import { facts, figure, folded, note, page, safe, section, table } from "../../shared/report/html.ts";
import { short, when, whole } from "../../shared/report/numbers.ts";
import { columnsOf, smoothed } from "../../shared/report/series.ts";
import type { Measured } from "./measure.ts";
import { measureKind } from "./measures/index.ts";
import { answered, costOf, resultsOf } from "./results.ts";
import { sweepSection } from "./sweeps.ts";

export function systemPage(measured: Measured, madeMs: number): string {
  const { system, name, seeds } = measured;
  const { title, source, about, job } = system;
  const head = `<header><h1>${safe(title)}</h1><p>${safe(`${source} · seeds ${seeds.join(", ")}, seen ${when(madeMs)} UTC`)}</p></header><p>${safe(about)}</p>`;
  return page(
    `plume zoo: ${name}`,
    [
      head,
      needed(measured),
      facts(figuresOf(measured)),
      section("Samples", ...samples(measured)),
      ...system.measures.map((measure) =>
        section(measureKind(measure).title, measureKind(measure).show(answered(measured, measure))),
      ),
      section("Training loss, smoothed", lossChart(measured)),
      ...measured.sweeps.map((sweep) => sweepSection(sweep, seeds[0]!)),
      section(
        "Job",
        folded(`deploy/jobs/${job}.yaml, every field`, `<pre>${safe(stringify(measured.runs[0]?.spec))}</pre>`),
      ),
    ].join("\n"),
  );
}

/** The models that its job names. */
function needed({ system: { needs = {} } }: Measured): string {
  const models = Object.entries(needs).map(([model, name]) => `${name} as its ${model}`);
  return models.length === 0 ? "" : note(`Needs ${models.join(", ")}, trained with the same seed.`);
}

export function indexPage(all: readonly Measured[], madeMs: number): string {
  const links = all.map(
    ({ name, system }) => `<li><a href="${name}.html">${safe(system.title)}</a>, ${safe(system.source)}</li>`,
  );
  return page(
    "plume zoo",
    [
      `<header><h1>The zoo</h1><p>seen ${when(madeMs)} UTC</p></header>`,
      section("Systems", `<ul>${links.join("")}</ul>`),
      ...resultsOf(all).map(({ title, rows, note: text }) =>
        section(title, table(rows, { numbers: rows[0]!.map((_, i) => i).slice(1) }), note(text)),
      ),
      ...all.map((each) => section(each.system.title, ...samples(each).slice(0, 1))),
    ].join("\n"),
  );
}

function figuresOf(measured: Measured): [string, string][] {
  const summary = measured.runs[0]?.summary;
  const [wall = "-", rate = "-"] = costOf(measured);
  return [
    ["parameters", short(summary?.parameters)],
    ["steps", summary ? whole(summary.steps) : "-"],
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

function lossChart({ runs, seeds }: Measured): string {
  const series = runs.map(({ steps }, i): Series => {
    const points = steps.map(({ step, loss }) => ({ x: step, y: loss }));
    return { name: `seed ${seeds[i]}`, colour: i, columns: columnsOf(smoothed(points)) };
  });
  return chart({ series, xLabel: "step", scale: "log", wide: true });
}
