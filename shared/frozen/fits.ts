// Whether a model is one that the job can use: every field that speaks against it, by the job's name for it.

import type { FrozenName } from "../config/models.ts";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import { networkOf, type ReadModel } from "../interop/load-model.ts";
import { buildNetwork } from "../pipeline/network.ts";
import { buildLayout } from "../tensor/layout.ts";

/** Of the job's data set. */
export interface Images {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

type Differences = (spec: JobSpec, images: Images, model: ReadModel) => readonly string[];

/** One line a field, by what the job uses the model for. */
const DIFFERENCES: Readonly<Record<FrozenName, Differences>> = {
  teacher: (spec, images, model) => [
    ...imagesOf(spec, images, model),
    ...labelsOf(spec, model),
    ...processOf(spec, model),
    ...(spec.training.init === "teacher" ? networkFields(spec, images, model) : []),
  ],
};

/** @throws PlumeError FAILED_PRECONDITION with all that differs. */
export function checkFits(name: FrozenName, spec: JobSpec, images: Images, model: ReadModel): void {
  const differences = DIFFERENCES[name](spec, images, model);
  if (differences.length === 0) return;
  throw new PlumeError("FAILED_PRECONDITION", `${model.at} does not fit this job:\n  ${differences.join("\n  ")}`, {
    remedy: "change the job's fields to the model's, or name another model",
  });
}

const line = (field: string, theirs: unknown, ours: unknown): string =>
  `${field}: the model has ${JSON.stringify(theirs)}, the job ${JSON.stringify(ours)}`;

/** Images as the network sees them. */
function imagesOf({ data }: JobSpec, images: Images, { job, imageSet }: ReadModel): string[] {
  const shape = ({ height, width, channels }: Images) => [height, width, channels];
  const [theirs, ours] = [shape(imageSet), shape(images)];
  const { patch } = job.spec.data;
  return [
    ...(theirs.join() === ours.join() ? [] : [line("data.imageSize (height, width, channels)", theirs, ours)]),
    ...(patch === data.patch ? [] : [line("data.patch", patch, data.patch)]),
  ];
}

/** A model without classes sees no label. */
function labelsOf({ model }: JobSpec, { job }: ReadModel): string[] {
  const { classes } = job.spec.model;
  return classes === 0 || classes === model.classes ? [] : [line("model.classes", classes, model.classes)];
}

/** A teacher is a denoiser at every level, or the last student, at all levels that this one is shown. */
function processOf({ diffusion }: JobSpec, { job }: ReadModel): string[] {
  const { process, objective, scales } = job.spec.diffusion;
  if (process !== diffusion.process) return [line("diffusion.process", process, diffusion.process)];
  if (objective === "simple") return [];
  if (objective !== "progressive" || diffusion.objective !== "progressive")
    return [`diffusion.objective: the model has "${objective}", the job distils a denoiser, of the objective "simple"`];
  if (scales.start === 2 * diffusion.scales.start) return [];
  return [
    `diffusion.scales.start: the model is a student of ${scales.start} steps, the job's takes ${diffusion.scales.start}, which is not half as many`,
  ];
}

/** Fields in which two networks of other parameters differ. */
function networkFields(spec: JobSpec, images: Images, model: ReadModel): string[] {
  const ours = buildLayout(buildNetwork(spec, images.channels).params);
  if (networkOf(model).layout.digest === ours.digest) return [];
  const theirs = model.job.spec.model;
  const differ = (Object.keys(theirs) as (keyof typeof theirs)[]).filter(
    (field) => JSON.stringify(theirs[field]) !== JSON.stringify(spec.model[field]),
  );
  return differ.map((field) => line(`model.${field}, for training.init teacher`, theirs[field], spec.model[field]));
}
