// The job of a folder that has none: what its configs say, and defaults for the rest. Enough to sample; to train, a user
// says on what and how.

import { basename, resolve } from "node:path";
import { stringify } from "yaml";
import { parseJob } from "../config/load.ts";
import type { Job } from "../config/schema.ts";
import { isLearned } from "../diffusion/prediction.ts";
import { PlumeError } from "../errors.ts";
import type { ModelFolder } from "./read.ts";

/** As YAML; `data.source` is for the user to say. @throws PlumeError FAILED_PRECONDITION when the configs do not say how large images are. */
export function skeletonOf({ path, unet, side, diffusion }: ModelFolder): string {
  if (side === null)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `${path}: config.json has no square sample_size, so nothing says how large its images are`,
      {
        remedy: "set sample_size in unet/config.json to the images' height and width",
      },
    );
  const { channels, channelMult, resBlocks, attentionLevels, groups, dropout, scaleShift, resample, classRows } = unet;
  return stringify({
    metadata: { name: nameOf(path) },
    spec: {
      data: { source: "images:DIR", imageSize: side, patch: 1 },
      model: {
        ...{ channels, channelMult, resBlocks, attention: attentionLevels.map((level) => side / 2 ** level) },
        ...(unet.headChannels === undefined ? {} : { headChannels: unet.headChannels }),
        ...{ groups, dropout, scaleShift, resample, classes: classRows },
      },
      // A variance is learned from the bound alone.
      diffusion: { process: "ddpm", ...diffusion, ...(isLearned(diffusion.variance) ? { objective: "hybrid" } : {}) },
      sampling: { steps: Math.min(50, diffusion.timesteps) },
    },
  });
}

export const jobOf = (folder: ModelFolder): Job =>
  folder.own?.job ?? parseJob(skeletonOf(folder), { file: `the job made of ${folder.path}` });

function nameOf(path: string): string {
  const plain = basename(resolve(path))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 53)
    .replaceAll(/^-+|-+$/g, "");
  return plain || "imported";
}
