// Coverage: modes of a grid of Gaussians, classes of Fashion-MNIST.

import { note, table } from "../../../shared/report/html.ts";
import { coverage } from "../measures/coverage.ts";
import type { Answered } from "../measures/kind.ts";
import type { Bench, Claim } from "./section.ts";
import { FAMILY_NAMES, type Family, unlabelledName } from "./systems.ts";
import { cell, generated, judged } from "./told.ts";

const GRIDS: Readonly<Record<Family, string>> = { diffusion: "diffusion-grid", GAN: "gan-grid" };

type Answer = typeof coverage extends { compare(all: readonly Answered<infer A>[]): unknown } ? A : never;

async function onGrid(bench: Bench, family: Family): Promise<Answered<Answer>> {
  const name = GRIDS[family];
  const answers = [];
  for (const seed of bench.seeds)
    answers.push(
      await bench.asked<Answer>(name, seed, "coverage", (folder) => [
        ...coverage.args(folder, { ...bench, seed }),
        ...["--stages", "final"],
      ]),
    );
  return { name: family, system: bench.systemOf(name), seeds: bench.seeds, answers, cost: [] };
}

async function ofClasses(bench: Bench, family: Family): Promise<string[]> {
  const rows = [];
  for (const seed of bench.seeds) {
    const said = await judged(bench, unlabelledName(family), seed);
    if (said) rows.push(generated(said));
  }
  return [family, cell(rows, "classKl"), cell(rows, "recall"), cell(rows, "precision"), cell(rows, "frechet", 1)];
}

export const covered: Claim = {
  title: "Coverage",
  claim: "GANs drop modes of their data; diffusion models cover them.",
  experiment:
    "A grid of 25 Gaussians, on which what is covered can be counted; and Fashion-MNIST without labels, where a judge counts the classes that are drawn.",
  async show(bench) {
    const [grids, classes] = [[] as Answered<Answer>[], [] as string[][]];
    for (const family of FAMILY_NAMES) {
      grids.push(await onGrid(bench, family));
      classes.push(await ofClasses(bench, family));
    }
    const head = ["Fashion-MNIST without labels", "KL of classes", "recall", "precision", "Fréchet, judge-64"];
    return [
      table(coverage.compare(grids), { numbers: [1, 2, 3] }),
      note(coverage.note),
      table([head, ...classes], { numbers: [1, 2, 3, 4] }),
      note("KL of classes: from equal counts, in nats. Mean and standard deviation over the seeds of training."),
    ];
  },
};
