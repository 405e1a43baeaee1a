// Stability over seeds and learning rates.

import { chart } from "../../../shared/report/chart.ts";
import { figure, note, table } from "../../../shared/report/html.ts";
import { percent } from "../../../shared/report/numbers.ts";
import { columnsOf } from "../../../shared/report/series.ts";
import type { Evaluation } from "../measures/evaluation.ts";
import type { Bench, Claim } from "./section.ts";
import { FAMILY_NAMES, type Family, RATES, type Rate, rateName } from "./systems.ts";
import { cell, figureOf, generated, judged } from "./told.ts";

/** Below this recall, or this share of images that show their class, little is left of the data. */
const COLLAPSED = { recall: 0.1, accuracy: 0.5 } as const;

export type Ending = "diverged" | "collapsed" | "fine";

/** @param said null for a run that failed: its gradient was not finite. */
export function endingOf(said: Evaluation | null): Ending {
  if (!said) return "diverged";
  const row = generated(said);
  const below = (metric: keyof typeof COLLAPSED) => !(figureOf(row, metric) >= COLLAPSED[metric]);
  return below("recall") || below("accuracy") ? "collapsed" : "fine";
}

interface Tried {
  readonly family: Family;
  readonly rate: Rate;
  readonly said: readonly (Evaluation | null)[];
}

async function tried(bench: Bench, family: Family): Promise<Tried[]> {
  const all = [];
  for (const rate of RATES) {
    const said = [];
    for (const seed of bench.seeds) said.push(await judged(bench, rateName(family, rate), seed));
    all.push({ family, rate, said });
  }
  return all;
}

const rowsOf = ({ said }: Tried) => said.flatMap((each) => (each ? [generated(each)] : []));

const share = (said: Tried["said"], ending: Ending): string =>
  percent(said.filter((each) => endingOf(each) === ending).length / said.length);

function line(name: string, each: Tried): string[] {
  const rows = rowsOf(each);
  return [
    name,
    share(each.said, "diverged"),
    share(each.said, "collapsed"),
    cell(rows, "frechet", 1),
    cell(rows, "accuracy"),
    cell(rows, "recall"),
  ];
}

/** A point a run. */
function runs(all: readonly Tried[]): string {
  const series = all.flatMap((each) =>
    rowsOf(each).map((row) => ({
      name: each.family,
      colour: FAMILY_NAMES.indexOf(each.family),
      columns: columnsOf([{ x: each.rate, y: figureOf(row, "frechet") }]),
    })),
  );
  const legend = FAMILY_NAMES.map((name, colour) => ({ name, colour, columns: [] }));
  return chart({
    series: [...legend, ...series],
    xLabel: "times the job's learning rate",
    scale: "log",
    xScale: "log",
  });
}

export const stability: Claim = {
  title: "Stability",
  claim:
    "Training a GAN is fragile: it depends on the seed and on the learning rate. A diffusion model trains every time.",
  experiment: `Each seed at ${RATES.join(", ")} times the learning rate of the job. A run has diverged when its gradient was no longer finite, and collapsed when its images cover less than ${COLLAPSED.recall} of the real ones (recall) or fewer than ${COLLAPSED.accuracy} show their class.`,
  async show(bench) {
    const all: Tried[] = [];
    for (const family of FAMILY_NAMES) all.push(...(await tried(bench, family)));
    const head = ["", "diverged", "collapsed", "Fréchet, judge-64", "class accuracy", "recall"];
    const lines = all.map((each) => line(`${each.family}, ${each.rate} times`, each));
    const whole = FAMILY_NAMES.map((family) =>
      line(`${family}, all`, {
        family,
        rate: 1,
        said: all.filter((each) => each.family === family).flatMap(({ said }) => said),
      }),
    );
    return [
      figure("Fréchet distance of each run, judge-64", runs(all)),
      table([head, ...lines, ...whole], { numbers: [1, 2, 3, 4, 5] }),
      note(`Seeds ${bench.seeds.join(", ")}; mean and standard deviation of those that did not diverge.`),
    ];
  },
};
