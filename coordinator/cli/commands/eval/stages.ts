// The images of a checkpoint: untrained, early and final weights, so that what was learned can be seen.

import type { Backend } from "../../../../shared/backends/backend.ts";
import { listCheckpoints } from "../../../../shared/checkpoint/list.ts";
import { locateCheckpoint } from "../../../../shared/checkpoint/locate.ts";
import type { JobSpec } from "../../../../shared/config/schema.ts";
import type { ImageSet } from "../../../../shared/data/image-set.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { JUDGE_CLASSES, JUDGE_SIDE } from "../../../../shared/eval/judge-network.ts";
import type { LabelledImages } from "../../../../shared/eval/score.ts";
import { readWeights } from "../../../../shared/interop/export.ts";
import type { LoadedModel } from "../../../../shared/interop/load-model.ts";
import { isModelFolder } from "../../../../shared/interop/read.ts";
import { initialParameters } from "../../../../shared/nn/init.ts";
import type { FrozenNetwork } from "../../../../shared/pipeline/frozen.ts";
import { createGenerator, type Generate, gridLabels } from "../../../../shared/pipeline/generate.ts";
import { type LowResImages, lowResPart, shrunk } from "../../../../shared/pipeline/low-res.ts";
import { batchesOf, shownClasses } from "../../../../shared/pipeline/tiles.ts";
import { packed } from "../../../../shared/tensor/flat.ts";
import { breathe } from "../../sampling.ts";
import { MOST_IMAGES } from "./real.ts";
import type { Way } from "./ways.ts";

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 8;

export const STAGES = ["untrained", "early", "final"] as const;
export type StageName = (typeof STAGES)[number];

interface Stage {
  readonly name: StageName;
  readonly step: number;
  /** Puts its weights on the device. */
  load(): void;
}

/** What images are drawn from: all classes in turn; of an upsampler, test images that are not the reference, shrunk. */
interface DrawnFrom {
  readonly labels: Int32Array;
  readonly lowRes: LowResImages | undefined;
}

export interface Model extends LoadedModel {
  /** Those that were asked for and are there. */
  readonly stages: readonly Stage[];
  readonly generate: Generate;
  readonly from: DrawnFrom;
  /** Evaluations of the network so far, times images. */
  evaluations(): number;
}

/** @throws PlumeError FAILED_PRECONDITION for a model of other images than the judge knows. */
export async function openStages(
  checkpoint: string,
  model: LoadedModel & { readonly backend: Backend },
  asked: {
    readonly stages: readonly StageName[];
    readonly classifier: FrozenNetwork | undefined;
    readonly count: number;
    /** Images that nothing was trained on. */
    readonly test: ImageSet;
  },
): Promise<Model> {
  const { job, network, layout, params, imageSet, backend } = model;
  const { classifier } = asked;
  checkImages(checkpoint, model, classifier);
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
  const from = await drawnFrom(job.spec, asked);
  return { ...model, stages, generate, from, evaluations: () => evaluated };
}

function checkImages(checkpoint: string, { job, imageSet }: LoadedModel, classifier: FrozenNetwork | undefined): void {
  const { name, height, width } = imageSet;
  const classes = shownClasses(job.spec, classifier);
  if (name === "fashion-mnist" && height === JUDGE_SIDE && classes === JUDGE_CLASSES) return;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${checkpoint} was trained on ${name} at ${height}x${width} with ${classes} classes; the judge knows Fashion-MNIST's ten at 28x28`,
    { remedy: "evaluate a run of deploy/jobs/fashion.yaml, or one without classes under a --classifier" },
  );
}

async function drawnFrom(
  { model: { lowRes }, sampling }: JobSpec,
  { count, test }: { readonly count: number; readonly test: ImageSet },
): Promise<DrawnFrom> {
  if (!lowRes) return { labels: Int32Array.from(gridLabels(range(count), JUDGE_CLASSES)!), lowRes: undefined };
  const { pixels, labels } = await test.read(range(count).map((k) => MOST_IMAGES + k));
  return { labels, lowRes: { pixels: shrunk(pixels, test, lowRes.size), noise: sampling.lowResNoise } };
}

const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);

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

export async function generateImages({ generate, from }: Model, wanted: Wanted): Promise<LabelledImages> {
  const { count, signal, onBatch, ...way } = wanted;
  const pixels = new Uint8Array(count * JUDGE_SIDE * JUDGE_SIDE);
  const { labels, lowRes } = from;
  const onStep = () => breathe(signal);
  for (const indices of batchesOf(count, BATCH)) {
    const part = lowRes && lowResPart(lowRes, count, indices[0]!, indices.at(-1)! + 1);
    const batch = await generate({ ...way, indices, labels: indices.map((k) => labels[k]!), lowRes: part, onStep });
    pixels.set(batch, indices[0]! * JUDGE_SIDE * JUDGE_SIDE);
    onBatch(indices.at(-1)! + 1);
  }
  return { pixels, labels };
}
