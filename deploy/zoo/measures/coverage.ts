// How many modes of the grid of Gaussians a model's points cover: `plume eval` of one.

import { note, table } from "../../../shared/report/html.ts";
import { spread } from "../spread-text.ts";
import type { Answered, MeasureKind } from "./kind.ts";

const COLUMNS = {
  modes: { heading: "modes of 25", digits: 1 },
  highQuality: { heading: "high quality", digits: 3 },
  klToUniform: { heading: "KL to uniform", digits: 3 },
} as const;
type Column = keyof typeof COLUMNS;

interface Row {
  readonly kind: "generated" | "real" | "anchor";
  readonly name: string;
  readonly metrics: Readonly<Record<Column, { readonly mean: number }>>;
}

interface Coverage {
  readonly count: number;
  readonly rows: readonly Row[];
}

const HEAD = Object.values(COLUMNS).map(({ heading }) => heading);

const cellsOf = (rows: readonly Row[]): string[] =>
  Object.entries(COLUMNS).map(([column, { digits }]) =>
    spread(
      rows.map(({ metrics }) => metrics[column as Column].mean),
      digits,
    ),
  );

const NOTE =
  "Modes with a point within three standard deviations of their centre, the share of points that lie so near to one, and how unevenly they are spread, in nats; mean and standard deviation over the seeds of training.";

function show({ answers }: Answered<Coverage>): string {
  const [first] = answers;
  if (!first) return note("nothing is measured yet");
  const rows = first.rows.map(({ name }, i) => [name, ...cellsOf(answers.map((each) => each.rows[i]!))]);
  return table([["points", ...HEAD], ...rows], { numbers: [1, 2, 3] }) + note(`${first.count} points of each. ${NOTE}`);
}

export const coverage: MeasureKind<Coverage> = {
  title: "Coverage of 25 Gaussians",
  args: (checkpoint, { seed }) => ["eval", checkpoint, "--seeds", String(seed)],
  show,
  compare: (all) => [
    ["", ...HEAD],
    ...all.map(({ name, answers }) => [
      name,
      ...cellsOf(answers.flatMap(({ rows }) => rows.findLast(({ kind }) => kind === "generated") ?? [])),
    ]),
  ],
  note: NOTE,
};
