// Rules of what an upsampler is told.

import { UPSAMPLERS } from "../models/index.ts";
import { conditionRules } from "./condition-rules.ts";
import { type Rule, unless } from "./rule.ts";

export const LOW_RES_RULES: readonly Rule[] = [
  {
    path: ["model", "lowRes", "size"],
    faults: ({ data: { imageSize }, model: { lowRes } }) =>
      unless(
        lowRes === undefined || lowRes.size < imageSize,
        () => `${lowRes!.size} is not below data.imageSize ${imageSize}; lower it, or raise imageSize`,
      ),
    cel: {
      holds: "!has(self.model.lowRes) || self.model.lowRes.size < self.data.imageSize",
      message:
        "'%d is not below data.imageSize %d; lower it, or raise imageSize'.format([self.model.lowRes.size, self.data.imageSize])",
    },
  },
  ...conditionRules("lowRes", UPSAMPLERS),
  {
    path: ["model", "lowRes"],
    faults: ({ model: { lowRes }, data: { augment } }) =>
      unless(
        lowRes === undefined || augment === 0,
        () => `is of an image before data.augment ${augment} changes it; leave it out, or set data.augment 0`,
      ),
    cel: {
      holds: "!has(self.model.lowRes) || self.data.augment == 0.0",
      message:
        "'is of an image before data.augment %s changes it; leave it out, or set data.augment 0'.format([self.data.augment])",
    },
  },
  {
    path: ["sampling", "lowResNoise"],
    faults: ({ sampling: { lowResNoise }, model: { lowRes } }) =>
      unless(
        lowResNoise <= (lowRes?.noise ?? 0),
        () =>
          `${lowResNoise} is above model.lowRes.noise ${lowRes?.noise ?? 0}, the most that the network has seen; lower it`,
      ),
    cel: {
      holds:
        "self.sampling.lowResNoise <= (has(self.model.lowRes) && has(self.model.lowRes.noise) ? self.model.lowRes.noise : 0.0)",
      message:
        "'%s is above model.lowRes.noise %s, the most that the network has seen; lower it'.format([self.sampling.lowResNoise, has(self.model.lowRes) && has(self.model.lowRes.noise) ? self.model.lowRes.noise : 0.0])",
    },
  },
];
