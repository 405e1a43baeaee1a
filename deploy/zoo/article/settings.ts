// What has to be tuned: networks, losses, optimizers, and the settings that the job files name.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { note, table } from "../../../shared/report/html.ts";
import { ROOT } from "../../../shared/root.ts";
import type { Claim } from "./section.ts";
import { FAMILIES, FAMILY_NAMES, type Family } from "./systems.ts";

const FIXED: Readonly<Record<Family, readonly string[]>> = {
  diffusion: ["1", "1", "1"],
  GAN: ["2", "2", "2"],
};

/** Groups that say where and on what a job runs, and what is drawn of it in the end. */
const NO_SETTINGS = new Set(["seed", "data", "workers", "checkpoint", "sampling", "models"]);
/** Both have the same, so that the budget is. */
const BUDGET = new Set(["training.globalBatch", "training.microBatch", "training.steps"]);

function paths(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path.join(".")];
  return Object.entries(value).flatMap(([key, inner]) => paths(inner, [...path, key]));
}

/** The fields that a job's author chose, by their names. @param text of a job file. */
export function settingsOf(text: string): string[] {
  const { spec } = parse(text) as { spec: Readonly<Record<string, unknown>> };
  const chosen = Object.entries(spec).filter(([group]) => !NO_SETTINGS.has(group));
  return chosen.flatMap(([group, value]) => paths(value, [group])).filter((path) => !BUDGET.has(path));
}

export const settings: Claim = {
  title: "What there is to tune",
  claim: "A GAN has two networks, two losses and a balance between them to tune; a diffusion model one of each.",
  experiment: "Counted, in the job files of the two.",
  async show(bench) {
    const lines = FAMILY_NAMES.map((family) => {
      const { job } = bench.systemOf(FAMILIES[family].system);
      const chosen = settingsOf(readFileSync(join(ROOT, "deploy/jobs", `${job}.yaml`), "utf8"));
      return [family, ...FIXED[family], String(chosen.length), chosen.join(", ")];
    });
    return [
      table([["", "networks", "losses", "optimizers", "settings", "which"], ...lines], { numbers: [1, 2, 3, 4] }),
      note(
        "The settings of the network, the process or game, and the optimizers that the job files say, the budget apart. A process and its sampler have settings of their own: what a diffusion model saves in balance, it spends there.",
      ),
    ];
  },
};
