// One run as a page: what came of it, whether it learnt, how fast, who computed, what broke, what proves it.

import { stringify } from "yaml";
import type { StepLine } from "../bus/step-line.ts";
import { samplesOf } from "../config/turns.ts";
import { chart, type Series } from "./chart.ts";
import { facts, figure, folded, note, page, safe, section, table } from "./html.ts";
import { marksOf } from "./moments.ts";
import { bytes, percent, seconds, short, when, whole } from "./numbers.ts";
import { byPlayer } from "./players.ts";
import type { Outcome, RunRecord } from "./read-run.ts";
import { columnsOf, type Point, smoothed } from "./series.ts";
import { timelineChart } from "./timeline.ts";

/** @param madeMs when the page is made, in milliseconds since the epoch. */
export function reportPage(run: RunRecord, madeMs: number): string {
  return page(
    `${run.name}: ${run.outcome}`,
    [
      head(run, madeMs),
      section("Learning", ...learning(run)),
      section("Speed", ...speed(run)),
      section("Workers", ...workers(run)),
      section("Where the time went", ...time(run)),
      section("Checkpoints", checkpoints(run)),
      section("Samples", samples(run)),
      section("Exactly once", ...proof(run)),
      section("Events", events(run)),
      section("Job and environment", ...environment(run)),
    ]
      .filter(Boolean)
      .join("\n"),
  );
}

export const TONES = {
  running: "good",
  complete: "good",
  stopped: "warn",
  failed: "bad",
  killed: "bad",
  unknown: "warn",
} as const satisfies Record<Outcome, string>;

function head(run: RunRecord, madeMs: number): string {
  const { name, outcome, reason, folder, faults } = run;
  const told = [reason, `${folder}, seen ${when(madeMs)} UTC`].filter(Boolean).join(" · ");
  const missing =
    faults.length > 0 ? `<ul class="faults">${faults.map((fault) => `<li>${safe(fault)}</li>`).join("")}</ul>` : "";
  return `<header><h1>${safe(name)}</h1><span class="badge ${TONES[outcome]}">${outcome}</span><p>${safe(told)}</p></header>${missing}${facts(figuresOf(run))}`;
}

/** The run in numbers. */
export function figuresOf({
  summary,
  steps,
  job,
  dataset,
  audit,
  recoveries,
  secondsByState,
}: RunRecord): [string, string][] {
  const last = steps.at(-1);
  const done = summary?.steps ?? (last ? last.step + 1 : 0);
  const batch = job?.spec.training.globalBatch;
  const samples = summary?.samples ?? (job ? samplesOf(job.spec, done) : null);
  const epochs = summary?.epochs ?? (samples !== null && dataset ? samples / dataset.size : null);
  const wall = summary?.wallSeconds ?? sum(Object.values(secondsByState));
  const goodput = summary?.goodput ?? (wall > 0 ? (secondsByState.productive ?? 0) / wall : null);
  return [
    ["steps", job ? `${whole(done)} of ${whole(job.spec.training.steps)}` : whole(done)],
    ["samples", samples === null ? "-" : whole(samples)],
    ["epochs", short(epochs)],
    ["final loss", short(summary?.finalLoss ?? smoothed(pointsOf(steps, "loss")).at(-1)?.y)],
    ["images a second", short(summary?.samplesPerSecond ?? rateOf(steps, batch))],
    ["wall time", wall > 0 ? seconds(wall) : "-"],
    ["goodput", goodput === null ? "-" : percent(goodput)],
    ["workers at the end", String(summary?.workers ?? last?.workers ?? "-")],
    ["recoveries", String(recoveries.length)],
    ["exactly once", audit === null ? "not proved" : audit.ok ? "yes" : "NO"],
    ["same bits", summary === null ? "-" : summary.reproducible ? "reproducible" : "see blemishes"],
    ["parameters", summary ? short(summary.parameters) : "-"],
  ];
}

/** Over all steps, and nothing but steps. */
function rateOf(steps: readonly StepLine[], batch: number | undefined): number | null {
  const spent = sum(steps.map((each) => each.seconds.total));
  return batch !== undefined && spent > 0 ? (batch * steps.length) / spent : null;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + (Number.isFinite(b) ? b : 0), 0);

const pointsOf = (steps: readonly StepLine[], field: "loss" | "lr" | "gradNorm" | "imagesPerSecond"): Point[] =>
  steps.map((each) => ({ x: each.step, y: each[field] }));

/** One, or of two networks that play one each: a mean of both would say nothing. */
function lossCurves(run: RunRecord): Series[] {
  return byPlayer(run).flatMap(({ player, steps }, colour): Series[] => {
    const loss = pointsOf(steps, "loss");
    const whose = player ? `the ${player}'s ` : "";
    return [
      { name: `${whose}loss of each step`, colour, faint: true, columns: columnsOf(loss) },
      { name: `${whose && `${whose}loss, `}smoothed`, colour, columns: columnsOf(smoothed(loss)) },
    ];
  });
}

function learning(run: RunRecord): string[] {
  const { steps } = run;
  if (steps.length === 0) return [note("no step is committed yet")];
  const norm = pointsOf(steps, "gradNorm");
  const norms: Series[] = [
    { name: "each step", colour: 3, faint: true, columns: columnsOf(norm) },
    { name: "smoothed", colour: 3, columns: columnsOf(smoothed(norm)) },
  ];
  const lr: Series[] = [{ name: "learning rate", colour: 2, columns: columnsOf(pointsOf(steps, "lr")) }];
  return [
    figure("Training loss", chart({ series: lossCurves(run), xLabel: "step", scale: "log", wide: true })),
    `<div class="pair">${figure("Learning rate", chart({ series: lr, xLabel: "step" }))}${figure("Gradient norm, before clipping", chart({ series: norms, xLabel: "step", scale: "log" }))}</div>`,
  ];
}

/** Parts of a step's seconds that add up; the pull and the data are parts of the handover. */
const PARTS: readonly (readonly [string, (step: StepLine) => number])[] = [
  ["compute", ({ seconds }) => seconds.compute],
  ["pull", ({ seconds }) => Math.min(seconds.pull, seconds.handover)],
  ["data", ({ seconds }) => Math.min(seconds.data, Math.max(0, seconds.handover - seconds.pull))],
  ["other handover", ({ seconds }) => Math.max(0, seconds.handover - seconds.pull - seconds.data)],
  ["reduce", ({ seconds }) => seconds.reduce],
  ["optimize", ({ seconds }) => seconds.optimize],
  ["publish", ({ seconds }) => seconds.publish],
];

function speed(run: RunRecord): string[] {
  const { steps } = run;
  if (steps.length === 0) return [];
  const rate = pointsOf(steps, "imagesPerSecond");
  const rates: Series[] = [
    { name: "each step", colour: 5, faint: true, columns: columnsOf(rate) },
    { name: "smoothed", colour: 5, columns: columnsOf(smoothed(rate)) },
  ];
  const parts: Series[] = PARTS.map(([name, of], colour) => ({
    name,
    colour,
    columns: columnsOf(
      steps.map((each) => ({ x: each.step, y: finite(of(each)) })),
      300,
    ),
  }));
  const marks = marksOf(run);
  return [
    `<div class="pair">${figure("Images a second", chart({ series: rates, xLabel: "step", marks }))}${figure("Seconds of a step by part", chart({ series: parts, xLabel: "step", stacked: true, unit: " s" }))}</div>`,
  ];
}

const finite = (x: number): number => (Number.isFinite(x) ? x : 0);

function workers(run: RunRecord): string[] {
  const { timeline, recoveries } = run;
  if (!timeline) return [note("the ledger does not say who computed what")];
  const rows = recoveries.map(({ atMs, kind, subject, reason, step, seconds: s }) => [
    when(atMs),
    kind === "coordinator" ? "coordinator" : subject,
    reason,
    whole(step),
    seconds(s),
  ]);
  const stretch = timeline.stretch === 1 ? "each step" : `every ${whole(timeline.stretch)} steps`;
  return [
    figure(`Share of ${stretch} by worker`, timelineChart(timeline, marksOf(run))),
    note(
      "Green: joins and scale; amber: workers that left; red: workers lost, coordinators started again. At the right, the share of all micro-batches.",
    ),
    rows.length === 0 ? "" : `<h3>Recoveries, from the failure to the next committed step</h3>`,
    table([["failed at (UTC)", "what", "why", "next step", "took"], ...rows], { numbers: [3, 4] }),
  ];
}

const STATES = ["productive", "checkpointing", "sampling", "waiting", "paused", "recovering", "redone"];
const STATE_COLOURS: Readonly<Record<string, string>> = {
  productive: "c2",
  checkpointing: "c0",
  sampling: "c3",
  waiting: "c7",
  paused: "c6",
  recovering: "c4",
  redone: "c1",
};

function time({ secondsByState }: RunRecord): string[] {
  const all = sum(Object.values(secondsByState));
  if (all <= 0) return [];
  const known = [...STATES, ...Object.keys(secondsByState).filter((state) => !STATES.includes(state))];
  const states = known.flatMap((state) => (secondsByState[state] ? [[state, secondsByState[state]] as const] : []));
  const bar = states.map(
    ([state, s]) =>
      `<span style="width:${((100 * s) / all).toFixed(2)}%;background:var(--${STATE_COLOURS[state] ?? "c5"})" title="${safe(`${state} ${seconds(s)}`)}"></span>`,
  );
  const legend = states.map(
    ([state, s]) =>
      `<span><i style="background:var(--${STATE_COLOURS[state] ?? "c5"})"></i>${safe(`${state} ${seconds(s)}, ${percent(s / all)}`)}</span>`,
  );
  return [`<div class="bar">${bar.join("")}</div><div class="legend">${legend.join("")}</div>`];
}

function checkpoints({ events, summary }: RunRecord): string {
  const rows = events.flatMap(({ atMs, event }) => {
    if (event.kind === "checkpoint")
      return [
        [
          whole(event.step),
          when(atMs),
          bytes(event.bytes),
          seconds(event.seconds),
          seconds(event.stallSeconds),
          event.key,
        ],
      ];
    if (event.kind === "checkpoint-failed")
      return [[whole(event.step), when(atMs), "", "", "", `FAILED: ${event.reason}`]];
    return [];
  });
  const marked = new Set(rows.flatMap((row, i) => (row[5]!.startsWith("FAILED") ? [i] : [])));
  if (rows.length === 0)
    return note(summary?.checkpoint ? `the newest is of step ${summary.checkpoint}` : "none was written");
  const head = ["step", "written (UTC)", "size", "took", "training waited", "key"];
  const newest = table([head, ...rows.slice(-12)], {
    numbers: [0, 2, 3, 4],
    marked: shifted(marked, rows.length - 12),
  });
  return rows.length <= 12
    ? newest
    : newest + folded(`all ${rows.length}`, table([head, ...rows.slice(-500)], { numbers: [0, 2, 3, 4] }));
}

const shifted = (marked: ReadonlySet<number>, by: number): ReadonlySet<number> =>
  by <= 0 ? marked : new Set([...marked].map((row) => row - by).filter((row) => row >= 0));

function samples({ pictures, name }: RunRecord): string {
  if (pictures.length === 0) return "";
  const figures = pictures.map(
    ({ step, url }) =>
      `<figure data-step="step ${step}"><figcaption>step ${whole(step)}</figcaption><img src="${url}" alt="${safe(`samples of ${name} after step ${step}`)}"></figure>`,
  );
  const last = pictures.length - 1;
  return `<div class="samples"><label>step <input type="range" min="0" max="${last}" value="${last}" aria-label="step of the samples"><output></output></label>${figures.join("\n")}</div>`;
}

function proof({ audit, dataset }: RunRecord): string[] {
  if (!audit) return [note("not proved: see what is missing above")];
  const { ok, steps, from, samples: used, wholeEpochs, skippedSteps, skippedSamples, firstFault } = audit;
  const verdict = ok
    ? `Every sample of ${dataset?.name ?? "the data set"} was used exactly once an epoch.`
    : `Step ${firstFault!.step}: ${firstFault!.message}.`;
  return [
    `<p class="${ok ? "good" : "bad"}">${safe(verdict)}</p>`,
    facts([
      ["steps proved", from > 0 ? `${whole(from)} to ${whole(steps)}` : whole(steps)],
      ["samples", whole(used)],
      ["whole epochs", whole(wholeEpochs)],
      ["steps skipped (not finite)", whole(skippedSteps)],
      ["samples that cannot be decoded", whole(skippedSamples)],
      ["workers that computed", whole(audit.workers)],
    ]),
  ];
}

const SHOWN_EVENTS = 400;

function events({ events: all }: RunRecord): string {
  const rows = all.map(({ id, atMs, event }) => {
    const { kind, ...rest } = event;
    return [when(atMs), id, kind, Object.values(rest).map(textOf).join(" · ")];
  });
  if (rows.length === 0) return "";
  const shown = rows.slice(-SHOWN_EVENTS);
  const title =
    shown.length < rows.length ? `the newest ${shown.length} of ${whole(rows.length)}` : `${rows.length} events`;
  return folded(title, table([["at (UTC)", "id", "event", ""], ...shown]));
}

const textOf = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));

function environment({ spec, summary, dataset, version, events: all }: RunRecord): string[] {
  const incarnations = new Set(all.map(({ id }) => id.split("-")[0])).size || summary?.incarnation;
  const rows: (readonly [string, string])[] = [
    ["plume", version ?? "-"],
    ["data set", dataset ? `${dataset.name}, ${whole(dataset.size)} samples` : "-"],
    ["devices", summary?.devices.join("; ") || "-"],
    ["transports", summary?.transports.join(", ") || "-"],
    ["coordinators", String(incarnations ?? "-")],
    ["numerics classes", summary?.numericsClasses.join(", ") || "-"],
  ];
  const hashes = [
    ["weights sha256", summary?.weightsSha256],
    ["EMA sha256", summary?.emaSha256],
    ["data set sha256", dataset?.digest],
  ].filter((row): row is [string, string] => row[1] !== undefined);
  return [
    facts(rows),
    hashes.map(([name, hash]) => `<p class="note">${name}<br><span class="hash">${safe(hash)}</span></p>`).join(""),
    ...(summary?.blemishes ?? []).map((blemish) => `<p class="warn">${safe(blemish)}</p>`),
    spec ? folded("the job, resolved", `<pre>${safe(stringify(spec))}</pre>`) : "",
  ];
}
