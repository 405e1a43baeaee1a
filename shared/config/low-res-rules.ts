// Rules of what an upsampler is told.

import { NETWORKS, type NetworkName, takesLowRes } from "../models/index.ts";
import { CHAIN, isChain } from "./chain-rules.ts";
import { quoted, type Rule, unless } from "./rule.ts";

const TAKE = (Object.keys(NETWORKS) as NetworkName[]).filter(takesLowRes);

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
  {
    path: ["model", "lowRes"],
    faults: ({ model: { lowRes, type } }) =>
      unless(
        lowRes === undefined || takesLowRes(type),
        () => `is not read by a ${type}; leave it out, or choose ${TAKE.join(" or ")}`,
      ),
    cel: {
      holds: `!has(self.model.lowRes) || self.model.type in ${quoted(TAKE)}`,
      message: `'is not read by a %s; leave it out, or choose ${TAKE.join(" or ")}'.format([self.model.type])`,
    },
  },
  {
    path: ["model", "lowRes"],
    faults: ({ model: { lowRes }, diffusion: { process } }) =>
      unless(
        lowRes === undefined || !isChain(process),
        () => `is not told to the steps of ${process}; leave it out, or choose another process`,
      ),
    cel: {
      holds: `!has(self.model.lowRes) || !${CHAIN}`,
      message:
        "'is not told to the steps of %s; leave it out, or choose another process'.format([self.diffusion.process])",
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
