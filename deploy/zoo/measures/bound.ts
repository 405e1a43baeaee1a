// How many bits a chain's model needs for what it was not trained on: `plume eval --bound`.

import { note, table } from "../../../shared/report/html.ts";
import { spread } from "../spread-text.ts";
import type { Answered, MeasureKind } from "./kind.ts";

interface Bound {
  readonly images: number;
  readonly bits: { readonly mean: number; readonly standardError: number };
  readonly prior: { readonly bits: number };
}

const HEAD = ["log likelihood, at least", "exact", "the prior's", "beyond the prior"];

/** Bits an image, as the paper gives them: of likelihoods, more is better. */
function cellsOf({ answers, system }: Answered<Bound>): string[] {
  const over = (of: (answer: Bound) => number) => spread(answers.map(of), 3);
  return [
    over(({ bits }) => -bits.mean),
    system.exact === undefined ? "-" : system.exact.toFixed(3),
    over(({ prior }) => -prior.bits),
    over(({ bits, prior }) => prior.bits - bits.mean),
  ];
}

function show(measured: Answered<Bound>): string {
  const [first] = measured.answers;
  if (!first) return note("nothing is measured yet");
  return (
    table([HEAD, cellsOf(measured)], { numbers: [0, 1, 2, 3] }) +
    note(`${first.images} of each seed, ± ${first.bits.standardError.toFixed(3)} by their number. ${NOTE}`)
  );
}

const NOTE =
  "Bits for each image, held out; mean and standard deviation over the seeds of training. The prior is what the steps begin from.";

export const bound: MeasureKind<Bound> = {
  title: "Bound on the log likelihood",
  args: (checkpoint, { seed, count }) => [
    ...["eval", checkpoint, "--bound", "--seeds", String(seed)],
    ...["--count", String(count)],
  ],
  show,
  compare: (all) => [["", ...HEAD], ...all.map((each) => [each.name, ...cellsOf(each)])],
  note: NOTE,
};
