// The network that a job's spec asks for.

import type { JobSpec } from "../config/schema.ts";
import { isLearned } from "../diffusion/prediction.ts";
import { buildUnet, type UnetConfig } from "../models/unet.ts";
import type { Network } from "../nn/network.ts";

/** GroupNorm's epsilon in ADM. */
const EPS = 1e-5;

/** @param channels of the data set's images. */
export function unetConfig({ data, model, diffusion }: JobSpec, channels: number): UnetConfig {
  const patched = channels * data.patch * data.patch;
  const size = data.imageSize / data.patch;
  return {
    inC: patched,
    // A variance is learned beside the prediction, channel by channel.
    outC: isLearned(diffusion.variance) ? 2 * patched : patched,
    channels: model.channels,
    channelMult: model.channelMult,
    resBlocks: model.resBlocks,
    attentionLevels: model.channelMult.flatMap((_, level) =>
      model.attention.includes(size / 2 ** level) ? [level] : [],
    ),
    headChannels: model.headChannels,
    groups: model.groups,
    eps: EPS,
    dropout: model.dropout,
    scaleShift: model.scaleShift,
    resample: model.resample,
    // One row more than classes: the last means "no label".
    classRows: model.classes > 0 ? model.classes + 1 : 0,
  };
}

export const buildNetwork = (spec: JobSpec, channels: number): Network => buildUnet(unetConfig(spec, channels));
