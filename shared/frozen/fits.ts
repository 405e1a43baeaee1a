// Whether a model is one that the job can use: every field that speaks against it, by the job's name for it.

import type { FrozenName } from "../config/models.ts";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { ReadModel } from "../interop/load-model.ts";

/** Of the job's data set. */
export interface Images {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** @throws PlumeError FAILED_PRECONDITION with all that differs. */
type CheckFits = (spec: JobSpec, images: Images, model: ReadModel) => void;

export const checkFits: Readonly<Record<FrozenName, CheckFits>> = {
  teacher(spec, images, model) {
    refuse(model, "teaches other images than this job's", [...imageDifferences(spec, images, model)]);
  },
};

function refuse({ at }: ReadModel, what: string, differences: readonly string[]): void {
  if (differences.length === 0) return;
  throw new PlumeError("FAILED_PRECONDITION", `${at} ${what}:\n  ${differences.join("\n  ")}`, {
    remedy: "change the job's fields to the model's, or name another model",
  });
}

const line = (field: string, theirs: unknown, ours: unknown): string =>
  `${field}: the model has ${JSON.stringify(theirs)}, the job ${JSON.stringify(ours)}`;

/** Images as the network sees them. */
function* imageDifferences({ data }: JobSpec, images: Images, { job, imageSet }: ReadModel): Generator<string> {
  const shape = ({ height, width, channels }: Images) => [height, width, channels];
  const [theirs, ours] = [shape(imageSet), shape(images)];
  if (theirs.join() !== ours.join()) yield line("data.imageSize (height, width, channels)", theirs, ours);
  if (job.spec.data.patch !== data.patch) yield line("data.patch", job.spec.data.patch, data.patch);
}
