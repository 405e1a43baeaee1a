// Systems of the zoo in variants, for the article alone: learning rates, a second setting, no classes, another data set.

import { join } from "node:path";
import { loadJob } from "../../../shared/config/load.ts";
import { ROOT } from "../../../shared/root.ts";
import { SYSTEMS, type System } from "../systems.ts";

/** The two that are compared, by the systems that they are. */
export const FAMILIES = {
  diffusion: { system: "ddpm", second: "diffusion.schedule=linear" },
  GAN: { system: "gan", second: "adversarial.penaltyWeight=2" },
} as const;
export type Family = keyof typeof FAMILIES;
export const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/** Of the job's own learning rate. */
export const RATES = [0.5, 1, 2, 4] as const;
export type Rate = (typeof RATES)[number];

export const rateName = (family: Family, rate: Rate): string =>
  rate === 1 ? FAMILIES[family].system : `${FAMILIES[family].system}-lr-${rate}`;

/** The same with the second setting that is tuned. */
export const secondName = (family: Family, rate: Rate): string => `${rateName(family, rate)}-second`;

export const unlabelledName = (family: Family): string => `${FAMILIES[family].system}-unlabelled`;

const jobRate = ({ job }: System): number =>
  loadJob(join(ROOT, "deploy/jobs", `${job}.yaml`), { set: [] }).spec.training.optimizer.lr;

const variant = (family: Family, ...set: readonly string[]): System => {
  const system: System = SYSTEMS[FAMILIES[family].system];
  return { ...system, set: [...(system.set ?? []), ...set], measures: [], sweeps: [] };
};

function variantsOf(family: Family): [string, System][] {
  const { system, second } = FAMILIES[family];
  const lr = jobRate(SYSTEMS[system]);
  const rateField = (rate: Rate) => `training.optimizer.lr=${Number((rate * lr).toPrecision(6))}`;
  return [
    ...RATES.filter((rate) => rate !== 1).map((rate): [string, System] => [
      rateName(family, rate),
      variant(family, rateField(rate)),
    ]),
    ...RATES.map((rate): [string, System] => [secondName(family, rate), variant(family, rateField(rate), second)]),
    [unlabelledName(family), variant(family, "model.classes=0", "sampling.guidance=1")],
  ];
}

/** By their names, which are those of their folders. */
export const variants = (): Readonly<Record<string, System>> => Object.fromEntries(FAMILY_NAMES.flatMap(variantsOf));
