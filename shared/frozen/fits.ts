// Whether a model is one that the job can use: every field that speaks against it, by the job's name for it.

import type { FrozenName } from "../config/models.ts";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { ReadModel } from "../interop/load-model.ts";
import { givesImages } from "../models/index.ts";

/** Of the job's data set. */
export interface Images {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** @throws PlumeError FAILED_PRECONDITION with all that differs. */
type CheckFits = (spec: JobSpec, images: Images, model: Model) => void;

type Model = Pick<ReadModel, "job" | "imageSet" | "at">;

export const checkFits: Readonly<Record<FrozenName, CheckFits>> = {
  teacher(spec, images, model) {
    refuse(model, "teaches other images than this job's", [...imageDifferences(spec, images, model)]);
  },
  classifier(spec, images, model) {
    const { type } = model.job.spec.model;
    if (givesImages(type)) throw noClassifier(model);
    const differences = [...imageDifferences(spec, images, model), ...noiseDifferences(spec, model)];
    const { classes } = model.job.spec.model;
    if (spec.model.classes > 0 && classes !== spec.model.classes)
      differences.push(line("model.classes", classes, spec.model.classes));
    refuse(model, "cannot guide this job's model", differences);
  },
};

function refuse({ at }: Model, what: string, differences: readonly string[]): void {
  if (differences.length === 0) return;
  throw new PlumeError("FAILED_PRECONDITION", `${at} ${what}:\n  ${differences.join("\n  ")}`, {
    remedy: "change the job's fields to the model's, or name another model",
  });
}

const line = (field: string, theirs: unknown, ours: unknown): string =>
  `${field}: the model has ${JSON.stringify(theirs)}, the job ${JSON.stringify(ours)}`;

/** Images as the network sees them. */
function* imageDifferences({ data }: JobSpec, images: Images, { job, imageSet }: Model): Generator<string> {
  const shape = ({ height, width, channels }: Images) => [height, width, channels];
  const [theirs, ours] = [shape(imageSet), shape(images)];
  if (theirs.join() !== ours.join()) yield line("data.imageSize (height, width, channels)", theirs, ours);
  if (job.spec.data.patch !== data.patch) yield line("data.patch", job.spec.data.patch, data.patch);
}

/** What decides the noise at a time, and not how often training draws it. */
const NOISE = ["process", "schedule", "timesteps", "betaMin", "betaMax", "sigmaMin", "sigmaMax"] as const;

/** It was trained on x_t of its own process. */
function* noiseDifferences({ diffusion }: JobSpec, { job }: Model): Generator<string> {
  for (const field of NOISE)
    if (job.spec.diffusion[field] !== diffusion[field])
      yield line(`diffusion.${field}`, job.spec.diffusion[field], diffusion[field]);
}

const noClassifier = ({ at, job }: Model): PlumeError =>
  new PlumeError("FAILED_PRECONDITION", `${at} is no classifier: its model.type is ${job.spec.model.type}`, {
    remedy: "name a run of a job with model.type classifier, such as deploy/jobs/classifier.yaml",
  });
