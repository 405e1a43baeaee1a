// Images against real ones: the rows of `plume eval`.

import { METRIC_NAMES, METRICS, type MetricName } from "../../../shared/eval/score.ts";
import { note, table } from "../../../shared/report/html.ts";
import { spread } from "../spread-text.ts";
import type { Answered, MeasureKind } from "./kind.ts";

/** A row of `plume eval --json`. */
export interface Row {
  readonly kind: "generated" | "given" | "real" | "anchor";
  readonly name: string;
  readonly sampler?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly classifierScale?: number;
  readonly step?: number;
  readonly evaluations?: number;
  /** That drawing all of them took. */
  readonly seconds?: number;
  readonly metrics: Readonly<Record<MetricName, { readonly mean: number } | null>>;
}

export interface Evaluation {
  readonly count: number;
  readonly rows: readonly Row[];
}

export const HEADINGS = METRIC_NAMES.map((metric) => METRICS[metric].heading);

/** The same row of each seed's evaluation. */
export function cellsOf(rows: readonly Row[]): string[] {
  const cell = (metric: MetricName) =>
    spread(
      rows.flatMap(({ metrics }) => metrics[metric]?.mean ?? []),
      METRICS[metric].digits,
    );
  return METRIC_NAMES.map(cell);
}

const HONEST =
  "Mean and standard deviation over the seeds of training. The judges are plume's own, trained on the training images alone: their figures compare with each other only, and none is an FID.";

/** Each row of the evaluations over the seeds, in their order. */
function show({ answers }: Answered<Evaluation>): string {
  const [first] = answers;
  if (!first) return note("nothing is measured yet");
  const rows = first.rows.map(({ name }, i) => [name, ...cellsOf(answers.flatMap((each) => each.rows[i] ?? []))]);
  const numbers = HEADINGS.map((_, i) => i + 1);
  return table([["images", ...HEADINGS], ...rows], { numbers }) + note(`${first.count} images of each. ${HONEST}`);
}

const finalRows = ({ answers }: Answered<Evaluation>): Row[] =>
  answers.flatMap(({ rows }) => rows.findLast(({ kind }) => kind === "generated") ?? []);

const rowsOf = ({ answers }: Answered<Evaluation>, name: string): Row[] =>
  answers.flatMap(({ rows }) => rows.find((row) => row.name === name) ?? []);

/** Systems, then what real images and noise score. */
function compare(all: readonly Answered<Evaluation>[]): string[][] {
  const last = all.at(-1);
  const bounds = last
    ? ["real test images", "noise"].map((name) => [name, ...cellsOf(rowsOf(last, name)), "-", "-", "-"])
    : [];
  return [
    ["", ...HEADINGS, "evaluations", "training", "images/s"],
    ...all.map((each) => {
      const rows = finalRows(each);
      const evaluations = rows.flatMap((row) => row.evaluations ?? []);
      return [each.name, ...cellsOf(rows), spread(evaluations, 0), ...each.cost];
    }),
    ...bounds,
  ];
}

export const evaluation: MeasureKind<Evaluation> = {
  title: "How good the images are",
  args: (checkpoint, { seed, count }) => ["eval", checkpoint, "--seeds", String(seed), "--count", String(count)],
  show,
  compare,
  note: HONEST,
};
