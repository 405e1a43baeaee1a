// The classifier that guides what a command samples: the one that it names, or else the job's.

import { resolve } from "node:path";
import type { JobSpec } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { Images } from "../../shared/frozen/fits.ts";
import { readFrozen } from "../../shared/frozen/read.ts";
import type { FrozenWeights } from "../../shared/pipeline/frozen.ts";
import { decimal } from "./options.ts";

export const CLASSIFIER_OPTION = [
  "--classifier <checkpoint>",
  "a classifier of noised images that guides (default: the job's models.classifier)",
] as const;

/** @throws PlumeError that names the option or the job's field: a classifier that is not there, or of other images or noise. */
export async function readGuide(
  asked: string | undefined,
  spec: JobSpec,
  images: Images,
): Promise<FrozenWeights | undefined> {
  const given = asked === undefined ? spec.models.classifier : { from: placeOf(asked), weights: "ema" as const };
  if (!given) return undefined;
  const called = () => (asked === undefined ? "models.classifier" : `--classifier ${asked}`);
  return (await readFrozen({ ...spec, models: { classifier: given } }, images, called)).classifier;
}

/** As a job names a model. */
export const placeOf = (path: string): string => (/^[a-z0-9]+:\/\//.test(path) ? path : `file://${resolve(path)}`);

/** @throws PlumeError INVALID_ARGUMENT for a scale that nothing has. */
export function scaleOf(flag: string, text: string, guide: object | undefined): number {
  const scale = decimal(flag, text, 0);
  if (guide) return scale;
  throw new PlumeError("INVALID_ARGUMENT", `${flag} ${text} needs a classifier that guides`, {
    remedy: "name one: --classifier runs/classifier",
  });
}
