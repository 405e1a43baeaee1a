// The weights of a checkpoint whose images are measured: untrained, early and final, so that what was learned can be seen.

import { listCheckpoints } from "../../../../shared/checkpoint/list.ts";
import { locateCheckpoint } from "../../../../shared/checkpoint/locate.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { JUDGE_CLASSES, JUDGE_SIDE } from "../../../../shared/eval/judge-network.ts";
import { readWeights } from "../../../../shared/interop/export.ts";
import { networkOf, type ReadModel } from "../../../../shared/interop/load-model.ts";
import { isModelFolder } from "../../../../shared/interop/read.ts";
import { initialParameters } from "../../../../shared/nn/init.ts";
import type { FrozenWeights } from "../../../../shared/pipeline/frozen.ts";
import { shownClasses } from "../../../../shared/pipeline/tiles.ts";
import { packed } from "../../../../shared/tensor/flat.ts";

export const STAGES = ["untrained", "early", "final"] as const;
export type StageName = (typeof STAGES)[number];

export interface Stage {
  readonly name: StageName;
  readonly step: number;
  /** float32 [layout.size] */
  readonly flat: Float32Array;
}

/** Those that were asked for and are there. */
export async function readStages(checkpoint: string, model: ReadModel, stages: readonly StageName[]): Promise<Stage[]> {
  const { layout } = await networkOf(model);
  const early = stages.includes("early") ? await earlyWeights(checkpoint, model) : null;
  const flatOf = (values: ReadonlyMap<string, Float32Array>) => packed(layout, (name) => values.get(name)!);
  const all: Stage[] = [
    { name: "untrained", step: 0, flat: initialParameters(layout, model.job.spec.seed) },
    ...(early ? [{ name: "early", step: early.step, flat: flatOf(early.values) } as const] : []),
    { name: "final", step: model.step, flat: flatOf(model.values) },
  ];
  return all.filter(({ name }) => stages.includes(name));
}

/** @throws PlumeError FAILED_PRECONDITION for a model of other images than the judge knows. */
export function checkImages(
  checkpoint: string,
  { job, imageSet }: ReadModel,
  classifier: FrozenWeights | undefined,
): void {
  const { name, height, width } = imageSet;
  const classes = shownClasses(job.spec, classifier);
  if (name === "fashion-mnist" && height === JUDGE_SIDE && [0, JUDGE_CLASSES].includes(classes)) return;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${checkpoint} was trained on ${name} at ${height}x${width} with ${classes} classes; the judge knows Fashion-MNIST's ten at 28x28`,
    { remedy: "evaluate a run of deploy/jobs/fashion.yaml, with its classes or without any" },
  );
}

/** The oldest checkpoint that is kept before this one; null where there is none, or only one's folder was named. */
async function earlyWeights(checkpoint: string, { step, weights }: ReadModel) {
  if (isModelFolder(checkpoint)) return null;
  const { store, which } = await locateCheckpoint(checkpoint);
  const oldest = which === "latest" ? (await listCheckpoints(store))[0] : undefined;
  if (!oldest || oldest.step >= step || oldest.step === 0) return null;
  const { tensors } = await readWeights(store, oldest.step, weights);
  return { step: oldest.step, values: new Map(tensors.map(({ name, values }) => [name, values])) };
}
