// Likelihood, for those that have one.

import { note, table } from "../../../shared/report/html.ts";
import type { Answered } from "../measures/kind.ts";
import { likelihood } from "../measures/likelihood.ts";
import type { Claim } from "./section.ts";

type Answer = typeof likelihood extends { compare(all: readonly Answered<infer A>[]): unknown } ? A : never;

const SYSTEMS = ["ddpm", "iddpm", "vp", "edm", "vae", "flow"] as const;

export const likely: Claim = {
  title: "Likelihood",
  claim:
    "A GAN cannot say how likely an image is; a diffusion model bounds it, or computes it along its ODE; a VAE bounds it, and a flow knows it.",
  experiment:
    "Bits a dimension of test images, beside codes that need no training. A GAN has no row, because it has no number.",
  async show(bench) {
    const all: Answered<Answer>[] = [];
    for (const name of SYSTEMS) {
      const answers = [];
      for (const seed of bench.seeds)
        answers.push(
          await bench.asked<Answer>(name, seed, "likelihood", (folder) => likelihood.args(folder, { ...bench, seed })),
        );
      all.push({ name, system: bench.systemOf(name), seeds: bench.seeds, answers, cost: [] });
    }
    const rows = likelihood.compare(all);
    return [table(rows, { numbers: rows[0]!.map((_, i) => i).slice(1) }), note(likelihood.note)];
  },
};
