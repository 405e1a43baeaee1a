// Quality at equal computation, equal parameters and equal tuning.

import { note, table } from "../../../shared/report/html.ts";
import { seconds, short, whole } from "../../../shared/report/numbers.ts";
import type { RunRecord } from "../../../shared/report/read-run.ts";
import { meanOf } from "../../../shared/spread.ts";
import type { Evaluation, Row } from "../measures/evaluation.ts";
import { secondsOf } from "../results.ts";
import type { Bench, Claim } from "./section.ts";
import { FAMILIES, FAMILY_NAMES, type Family, RATES, rateName, secondName } from "./systems.ts";
import { cell, figureOf, generated, judged } from "./told.ts";

interface Configuration {
  readonly name: string;
  readonly about: string;
  /** Of the first seed, on the validation half; infinite where the run failed. */
  readonly frechet: number;
}

/** The eight that a family may be tuned by, the best first. */
async function tuned(bench: Bench, family: Family): Promise<Configuration[]> {
  const [seed] = bench.seeds as [number];
  const all = [];
  for (const rate of RATES)
    for (const [name, more] of [
      [rateName(family, rate), ""],
      [secondName(family, rate), `, ${FAMILIES[family].second}`],
    ] as const) {
      const said = await judged(bench, name, seed, "validation");
      const frechet = said ? figureOf(generated(said), "frechet") : Number.POSITIVE_INFINITY;
      all.push({ name, about: `${rate} times the learning rate${more}`, frechet });
    }
  return all.sort((a, b) => a.frechet - b.frechet);
}

interface Chosen {
  readonly family: Family;
  readonly best: Configuration;
  readonly runs: readonly RunRecord[];
  readonly said: readonly Evaluation[];
}

async function chosen(bench: Bench, family: Family): Promise<Chosen> {
  const [best] = (await tuned(bench, family)) as [Configuration];
  const [runs, said] = [[] as RunRecord[], [] as Evaluation[]];
  for (const seed of bench.seeds) {
    runs.push(await bench.trained(best.name, seed));
    const answer = await judged(bench, best.name, seed);
    if (answer) said.push(answer);
  }
  return { family, best, runs, said };
}

const figures = (rows: readonly Row[]): string[] => [
  cell(rows, "frechet", 1),
  cell(rows, "accuracy"),
  cell(rows, "precision"),
  cell(rows, "recall"),
  cell(rows, "copies"),
];

function line({ family, best, runs, said }: Chosen): string[] {
  return [
    family,
    ...figures(said.map(generated)),
    whole(meanOf(runs.map(({ summary }) => summary?.parameters ?? Number.NaN))),
    whole(meanOf(runs.map(({ steps }) => steps.length))),
    seconds(meanOf(runs.map(secondsOf))),
    best.about,
  ];
}

const real = ([first]: readonly Chosen[]): string[] => {
  const row = first?.said[0]?.rows.find(({ kind }) => kind === "real");
  return ["real test images", ...(row ? figures([row]) : []), "-", "-", "-", ""];
};

export const quality: Claim = {
  title: "Quality at equal cost",
  claim: "Diffusion models beat GANs on image synthesis (Dhariwal and Nichol 2021).",
  experiment: `Both on Fashion-MNIST, class-conditional, with as many parameters and as much computation within a fifth, averaged weights for both. Each is tuned by ${2 * RATES.length} configurations of one seed, chosen by the Fréchet distance to the validation half; the chosen one is trained with every seed and told of by the test half.`,
  async show(bench) {
    const all = [];
    for (const family of FAMILY_NAMES) all.push(await chosen(bench, family));
    const head = ["", "Fréchet, judge-64", "class accuracy", "precision", "recall", "copies"];
    const more = ["parameters", "steps", "training", "chosen"];
    const rows = [[...head, ...more], ...all.map(line), real(all)];
    const candidates = [];
    for (const family of FAMILY_NAMES)
      for (const { about, frechet } of await tuned(bench, family)) candidates.push([family, about, short(frechet)]);
    return [
      table(rows, { numbers: [1, 2, 3, 4, 5, 6, 7, 8] }),
      note(
        `${bench.count} images a seed, seeds ${bench.seeds.join(", ")}. The parameters of a GAN are those of both networks; only its generator draws. Training: seconds of all steps on this machine.`,
      ),
      table([["", "configuration", "Fréchet, validation half"], ...candidates], { numbers: [2] }),
    ];
  },
};
