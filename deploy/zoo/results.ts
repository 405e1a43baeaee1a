// The zoo in numbers: the mean over the seeds of training, and how far they lie apart.

import { METRIC_NAMES, METRICS, type MetricName } from "../../shared/eval/score.ts";
import { seconds } from "../../shared/report/numbers.ts";
import { meanOf, spreadOf } from "../../shared/spread.ts";
import type { Measured, Row } from "./measure.ts";

/** Mean and, of several, the standard deviation with n - 1. */
function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return "-";
  const { mean, std } = spreadOf(values);
  return mean.toFixed(digits) + (std === null ? "" : ` ± ${std.toFixed(digits)}`);
}

/** The same row of each seed's evaluation. */
export function cellsOf(rows: readonly Row[]): string[] {
  const cell = (metric: MetricName) =>
    spread(
      rows.flatMap(({ metrics }) => metrics[metric]?.mean ?? []),
      METRICS[metric].digits,
    );
  return METRIC_NAMES.map(cell);
}

export const HEADINGS = METRIC_NAMES.map((metric) => METRICS[metric].heading);

/** Seconds of all steps of a run, whoever computed them and when, and images of them a second. */
export function costOf({ runs }: Measured): readonly string[] {
  const costs = runs.map(({ steps, job }) => {
    const spent = steps.reduce((sum, step) => sum + (Number.isFinite(step.seconds.total) ? step.seconds.total : 0), 0);
    return { spent, rate: ((job?.spec.training.globalBatch ?? 0) * steps.length) / spent };
  });
  return [
    seconds(meanOf(costs.map(({ spent }) => spent))),
    spread(
      costs.map(({ rate }) => rate),
      0,
    ),
  ];
}

const finalRows = ({ evaluations }: Measured): Row[] =>
  evaluations.flatMap(({ rows }) => rows.findLast(({ kind }) => kind === "generated") ?? []);

const rowOf = ({ evaluations }: Measured, name: string): Row[] =>
  evaluations.flatMap(({ rows }) => rows.find((row) => row.name === name) ?? []);

/** Systems, then what real images and noise score: the head first. */
export function resultRows(all: readonly Measured[]): string[][] {
  const last = all.at(-1);
  const bounds = last
    ? ["real test images", "noise"].map((name) => [name, ...cellsOf(rowOf(last, name)), "-", "-", "-"])
    : [];
  return [
    ["", ...HEADINGS, "evaluations", "training", "images/s"],
    ...all.map((each) => {
      const rows = finalRows(each);
      const evaluations = spread(
        rows.flatMap((row) => row.evaluations ?? []),
        0,
      );
      return [each.name, ...cellsOf(rows), evaluations, ...costOf(each)];
    }),
    ...bounds,
  ];
}

/** For a README. */
export function resultsTable(all: readonly Measured[]): string {
  const [head, ...rows] = resultRows(all);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head!), line(head!.map(() => "---")), ...rows.map(line)].join("\n");
}
