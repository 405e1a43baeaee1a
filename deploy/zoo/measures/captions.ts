// How often a picture is what its caption says: `plume eval` of a model that reads captions.

import { note, table } from "../../../shared/report/html.ts";
import { meanOf } from "../../../shared/spread.ts";
import { spread } from "../spread-text.ts";
import type { Answered, MeasureKind } from "./kind.ts";

interface Score {
  readonly exact: number;
  readonly share: number;
}

interface Row {
  readonly name: string;
  readonly split: "test" | "held-out";
  /** One a seed of the noise. */
  readonly scores: readonly { readonly own: Score; readonly shuffled: Score }[];
}

interface Captions {
  readonly count: number;
  readonly rows: readonly Row[];
}

const COLUMNS: Readonly<Record<string, (score: Row["scores"][number]) => number>> = {
  exact: ({ own }) => own.exact,
  "exact, captions shuffled": ({ shuffled }) => shuffled.exact,
  claims: ({ own }) => own.share,
  "claims, captions shuffled": ({ shuffled }) => shuffled.share,
};
const HEAD = Object.keys(COLUMNS);

const cellsOf = (rows: readonly Row[]): string[] =>
  Object.values(COLUMNS).map((of) =>
    spread(
      rows.map(({ scores }) => meanOf(scores.map(of))),
      3,
    ),
  );

const NOTE =
  "exact: pictures that show all that their captions say, and nothing else; claims: the share of what captions say that is so. held-out: pairs of colour and shape that no picture of training has. Mean and standard deviation over the seeds of training.";

function show({ answers }: Answered<Captions>): string {
  const [first] = answers;
  if (!first) return note("nothing is measured yet");
  const rows = first.rows.map(({ name, split }, i) => [split, name, ...cellsOf(answers.map((each) => each.rows[i]!))]);
  return (
    table([["captions", "images", ...HEAD], ...rows], { numbers: [2, 3, 4, 5] }) +
    note(`${first.count} pictures of each. ${NOTE}`)
  );
}

/** The first row of a split is what was drawn. */
const drawn = ({ answers }: Answered<Captions>, split: Row["split"]): Row[] =>
  answers.flatMap(({ rows }) => rows.find((row) => row.split === split) ?? []);

export const captions: MeasureKind<Captions> = {
  title: "Pictures that are what their captions say",
  args: (checkpoint, { seed }) => ["eval", checkpoint, "--seeds", String(seed)],
  show,
  compare: (all) => [
    ["", ...HEAD],
    ...all.flatMap((each) =>
      (["test", "held-out"] as const).map((split) => [`${each.name}, ${split}`, ...cellsOf(drawn(each, split))]),
    ),
  ],
  note: NOTE,
};
