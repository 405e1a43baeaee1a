// The settings of ADM's networks that a job's fields come to.

import { isLearned, type VarianceType } from "../diffusion/prediction.ts";
import type { UnetConfig } from "./unet-config.ts";

/** The fields of a job's spec that networks are made of. */
export interface NetworkFields {
  readonly data: { readonly imageSize: number; readonly patch: number };
  readonly model: Pick<
    UnetConfig,
    "channels" | "channelMult" | "resBlocks" | "headChannels" | "groups" | "dropout" | "scaleShift" | "resample"
  > & {
    /** Resolutions. */
    readonly attention: readonly number[];
    readonly classes: number;
    readonly pool: "attention" | "adaptive";
  };
  readonly diffusion: { readonly variance: VarianceType };
}

/** GroupNorm's epsilon in ADM. */
const EPS = 1e-5;

/** Side of the feature map of a level, in the network's own pixels. */
export const sideOf = ({ data }: Pick<NetworkFields, "data">, level: number): number =>
  data.imageSize / data.patch / 2 ** level;

/** @param channels of the data set's images. */
export function unetConfig(fields: NetworkFields, channels: number): UnetConfig {
  const { data, model, diffusion } = fields;
  const patched = channels * data.patch * data.patch;
  return {
    inC: patched,
    // A variance is learned beside the prediction, channel by channel.
    outC: isLearned(diffusion.variance) ? 2 * patched : patched,
    channels: model.channels,
    channelMult: model.channelMult,
    resBlocks: model.resBlocks,
    attentionLevels: model.channelMult.flatMap((_, level) =>
      model.attention.includes(sideOf(fields, level)) ? [level] : [],
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
