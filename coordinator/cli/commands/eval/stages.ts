// The images of a checkpoint: untrained, early and final weights, so that what was learned can be seen.

import type { Backend } from "../../../../shared/backends/backend.ts";
import { listCheckpoints } from "../../../../shared/checkpoint/list.ts";
import { locateCheckpoint } from "../../../../shared/checkpoint/locate.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { JUDGE_CLASSES, JUDGE_SIDE } from "../../../../shared/eval/judge-network.ts";
import type { LabelledImages } from "../../../../shared/eval/score.ts";
import { readWeights } from "../../../../shared/interop/export.ts";
import type { LoadedModel } from "../../../../shared/interop/load-model.ts";
import { isModelFolder } from "../../../../shared/interop/read.ts";
import { initialParameters } from "../../../../shared/nn/init.ts";
import type { FrozenNetwork } from "../../../../shared/pipeline/frozen.ts";
import { createGenerator, type Generate, gridLabels } from "../../../../shared/pipeline/generate.ts";
import { batchesOf, shownClasses } from "../../../../shared/pipeline/tiles.ts";
import { packed } from "../../../../shared/tensor/flat.ts";
import { breathe } from "../../sampling.ts";
import type { Way } from "./ways.ts";

/** Numbers computed together, and images at most: bounds the memory; what comes out does not depend on it. */
const BATCH = { numbers: 8 * JUDGE_SIDE ** 2, images: 250 };

export const STAGES = ["untrained", "early", "final"] as const;
export type StageName = (typeof STAGES)[number];

interface Stage {
  readonly name: StageName;
  readonly step: number;
  /** Puts its weights on the device. */
  load(): void;
}

export interface Model extends LoadedModel {
  /** Those that were asked for and are there. */
  readonly stages: readonly Stage[];
  readonly generate: Generate;
  /** Classes that images are asked for; 0 for none. */
  readonly classes: number;
  /** Evaluations of the network so far, times images. */
  evaluations(): number;
}

export async function openStages(
  checkpoint: string,
  model: LoadedModel & { readonly backend: Backend },
  asked: { readonly stages: readonly StageName[]; readonly classifier: FrozenNetwork | undefined },
): Promise<Model> {
  const { job, network, layout, params, imageSet, backend } = model;
  const { classifier } = asked;
  const final = packed(layout, (name) => params.get(name).dataSync() as Float32Array);
  const stage = (name: StageName, step: number, flat: Float32Array): Stage => ({
    name,
    step,
    load: () => params.load(flat),
  });
  const early = asked.stages.includes("early") ? await earlyWeights(checkpoint, model) : null;
  const all = [
    stage("untrained", 0, initialParameters(layout, job.spec.seed)),
    ...(early
      ? [
          stage(
            "early",
            early.step,
            packed(layout, (name) => early.values.get(name)!),
          ),
        ]
      : []),
    stage("final", model.step, final),
  ];
  const image = { height: imageSet.height, width: imageSet.width, channels: imageSet.channels };
  let evaluated = 0;
  const generate = createGenerator({
    ...{ spec: job.spec, network, params, image, classifier },
    program: backend.program,
    onEvaluation: (images) => {
      evaluated += images;
    },
  });
  const stages = all.filter(({ name }) => asked.stages.includes(name));
  return { ...model, stages, generate, classes: shownClasses(job.spec, classifier), evaluations: () => evaluated };
}

/** @throws PlumeError FAILED_PRECONDITION for a model of other images than the judge knows. */
export function checkImages(
  checkpoint: string,
  { job, imageSet }: LoadedModel,
  classifier: FrozenNetwork | undefined,
): void {
  const { name, height, width } = imageSet;
  const classes = shownClasses(job.spec, classifier);
  if (name === "fashion-mnist" && height === JUDGE_SIDE && classes === JUDGE_CLASSES) return;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${checkpoint} was trained on ${name} at ${height}x${width} with ${classes} classes; the judge knows Fashion-MNIST's ten at 28x28`,
    { remedy: "evaluate a run of deploy/jobs/fashion.yaml, or one without classes under a --classifier" },
  );
}

/** The oldest checkpoint that is kept before this one; null where there is none, or only one's folder was named. */
async function earlyWeights(checkpoint: string, { step, weights }: LoadedModel) {
  if (isModelFolder(checkpoint)) return null;
  const { store, which } = await locateCheckpoint(checkpoint);
  const oldest = which === "latest" ? (await listCheckpoints(store))[0] : undefined;
  if (!oldest || oldest.step >= step || oldest.step === 0) return null;
  const { tensors } = await readWeights(store, oldest.step, weights);
  return { step: oldest.step, values: new Map(tensors.map(({ name, values }) => [name, values])) };
}

export interface Wanted extends Way {
  readonly count: number;
  readonly signal: AbortSignal;
  onBatch(done: number): void;
}

/** All classes in turn. */
export async function generateImages({ generate, classes, imageSet }: Model, wanted: Wanted): Promise<LabelledImages> {
  const { count, signal, onBatch, ...way } = wanted;
  const size = imageSet.height * imageSet.width * imageSet.channels;
  const pixels = new Uint8Array(count * size);
  const onStep = () => breathe(signal);
  for (const indices of batchesOf(count, Math.min(BATCH.images, Math.ceil(BATCH.numbers / size)))) {
    pixels.set(await generate({ ...way, indices, labels: gridLabels(indices, classes), onStep }), indices[0]! * size);
    onBatch(indices.at(-1)! + 1);
  }
  const all = Array.from({ length: count }, (_, k) => k);
  return { pixels, labels: classes > 0 ? Int32Array.from(gridLabels(all, classes)!) : null };
}
