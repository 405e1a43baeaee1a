// Images as people see them, and as the network does.

import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import { NETWORKS } from "../models/index.ts";

/** Shape of an image as the network sees it. */
export function shuffleShape({ height, width, channels }: PatchShape, patch: number): PatchShape {
  return { height: height / patch, width: width / patch, channels: channels * patch * patch };
}

/** Shape of what a job's network denoises: an image as it sees it, or an embedding, which is one pixel. */
export const denoisedShape = ({ data, model }: Pick<JobSpec, "data" | "model">, image: PatchShape): PatchShape =>
  NETWORKS[model.type].gives === "embedding"
    ? { height: 1, width: 1, channels: model.embedding! }
    : shuffleShape(image, data.patch);
