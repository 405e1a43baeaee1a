// What an image costs, before and after acceleration.

import { note, table } from "../../../shared/report/html.ts";
import { seconds, short } from "../../../shared/report/numbers.ts";
import { type Evaluation, evaluation } from "../measures/evaluation.ts";
import type { Bench, Claim } from "./section.ts";
import { FAMILIES } from "./systems.ts";
import { cell, generated } from "./told.ts";

interface Way {
  readonly name: string;
  readonly system: string;
  readonly args: readonly string[];
}

const way = (name: string, system: string, sampler: string, steps: number): Way => ({
  name,
  system,
  args: ["--sampler", sampler, "--steps", String(steps)],
});

const { diffusion, GAN } = FAMILIES;

const WAYS: readonly Way[] = [
  way("diffusion: ancestral, every step", diffusion.system, "ancestral", 1000),
  way("diffusion: DDIM", diffusion.system, "ddim", 50),
  way("diffusion: DDIM", diffusion.system, "ddim", 10),
  way("diffusion: DPM-Solver++ 2M", diffusion.system, "dpmpp-2m", 10),
  way("diffusion: progressive distillation", "progressive-4", "progressive", 4),
  way("diffusion: consistency distillation", "consistency-distillation", "consistency", 2),
  way("diffusion: consistency distillation", "consistency-distillation", "consistency", 1),
  way("GAN", GAN.system, "generator", 1),
];

/** Fewer, where an image takes a thousand evaluations. */
const MOST_EVALUATIONS = 100_000;

async function line(bench: Bench, { name, system, args }: Way, k: number): Promise<string[]> {
  const [seed] = bench.seeds as [number];
  const steps = Number(args.at(-1));
  const count = Math.max(100, Math.min(bench.count, Math.floor(MOST_EVALUATIONS / steps)));
  const said = await bench.asked<Evaluation>(system, seed, `cost-${k}`, (folder) => [
    ...evaluation.args(folder, { ...bench, seed, count }),
    ...["--stages", "final", ...args],
  ]);
  const row = generated(said);
  return [
    `${name}, ${steps}`,
    short(row.evaluations),
    seconds((row.seconds ?? Number.NaN) / count),
    String(count),
    cell([row], "frechet", 1),
    cell([row], "accuracy"),
    cell([row], "recall"),
  ];
}

export const cost: Claim = {
  title: "What an image costs",
  claim: "Diffusion models are slow to sample: hundreds of evaluations an image, where a GAN needs one.",
  experiment:
    "The same weights drawn by the sampler of 2020, by faster ones, and by students that were distilled from them; all cores of this machine.",
  async show(bench) {
    const lines = [];
    for (const [k, each] of WAYS.entries()) lines.push(await line(bench, each, k));
    const head = ["", "evaluations", "time an image", "images", "Fréchet, judge-64", "class accuracy", "recall"];
    return [
      table([head, ...lines], { numbers: [1, 2, 3, 4, 5, 6] }),
      note(
        `Seed ${bench.seeds[0]}. A Fréchet distance of fewer images is larger. The students' teacher is edm, which is not the diffusion model of the other rows.`,
      ),
    ];
  },
};
