// A sweep as pictures: what figures do along what was varied.

import { METRICS, type MetricName } from "../../shared/eval/score.ts";
import { chart, type Series } from "../../shared/report/chart.ts";
import { figure, folded, safe, section, table } from "../../shared/report/html.ts";
import { short } from "../../shared/report/numbers.ts";
import { columnsOf } from "../../shared/report/series.ts";
import type { Measured, Point } from "./measure.ts";
import { cellsOf, HEADINGS } from "./measures/evaluation.ts";
import type { Sweep } from "./systems.ts";

const LABELS: Readonly<Record<Sweep["by"], string>> = {
  evaluations: "evaluations of the network an image",
  guidance: "guidance scale",
  classifierScale: "classifier scale",
};

export function sweepSection({ sweep, points, count }: Measured["sweeps"][number], seed: number): string {
  return section(
    sweep.title,
    `<p>${safe(`${sweep.about} Seed ${seed}, ${count} images a point.`)}</p>`,
    ...(sweep.by === "evaluations" ? distanceCharts(points) : scaleCharts(points, sweep.by)),
    folded("as numbers", sweepTable(points, sweep.by)),
  );
}

function curve(name: string, colour: number, points: readonly Point[], by: Sweep["by"], metric: MetricName): Series {
  const places = points.flatMap((point) => {
    const [x, y] = [point[by], point.metrics[metric]?.mean];
    return x === undefined || y === undefined ? [] : [{ x, y }];
  });
  return { name, colour, columns: columnsOf(places.sort((a, b) => a.x - b.x)) };
}

function scaleCharts(points: readonly Point[], by: Sweep["by"]): string[] {
  const of = (metric: MetricName, colour: number) => curve(METRICS[metric].heading, colour, points, by, metric);
  const shares = (["accuracy", "precision", "recall"] as const).map(of);
  const xLabel = LABELS[by];
  return pairs([
    figure("Accuracy, precision, recall", chart({ series: shares, xLabel })),
    figure("Distance", chart({ series: [of("frechet", 3)], xLabel })),
  ]);
}

/** As many curves as a person can tell apart. */
const CURVES = 7;

/** The curve that comes lowest first. */
function distanceCharts(points: readonly Point[]): string[] {
  const least = ({ columns }: Series) => Math.min(...columns.map(({ y }) => y));
  const curves = [...new Set(points.map((point) => point.curve))]
    .map((name) =>
      curve(
        name,
        0,
        points.filter((point) => point.curve === name),
        "evaluations",
        "frechet",
      ),
    )
    .sort((a, b) => least(a) - least(b));
  const parts = Array.from({ length: Math.ceil(curves.length / CURVES) }, (_, k) =>
    curves.slice(k * CURVES, (k + 1) * CURVES),
  );
  const wide = parts.length === 1;
  const pictures = parts.map((part) => {
    const series = part.map((each, colour) => ({ ...each, colour }));
    const picture = chart({ series, xLabel: LABELS.evaluations, scale: "log", xScale: "log", wide });
    const which = wide ? "" : `: ${part[0]!.name} to ${part.at(-1)!.name}`;
    return figure(METRICS.frechet.heading + which, picture);
  });
  return wide ? pictures : pairs(pictures);
}

function pairs(pictures: readonly string[]): string[] {
  return Array.from(
    { length: Math.ceil(pictures.length / 2) },
    (_, k) => `<div class="pair">${pictures.slice(2 * k, 2 * k + 2).join("")}</div>`,
  );
}

function sweepTable(points: readonly Point[], by: Sweep["by"]): string {
  const scale = by === "classifierScale" ? by : "guidance";
  const body = points.map((point) => [
    `${point.curve}, ${point.steps} steps`,
    short(point[scale]),
    short(point.evaluations),
    ...cellsOf([point]),
  ]);
  const head = ["images", LABELS[scale], "evaluations", ...HEADINGS];
  return table([head, ...body], { numbers: head.map((_, i) => i).slice(1) });
}
