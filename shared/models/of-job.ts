// The settings of networks that a job's fields come to.

import { AUGMENT_LABELS } from "../augmentation/augment.ts";
import { isLearned, type VarianceType } from "../diffusion/prediction.ts";
import { chainKind, type ProcessName } from "../diffusion/processes/index.ts";
import type { ProcessOptions } from "../diffusion/processes/process.ts";
import { PlumeError } from "../errors.ts";
import type { TextConfig } from "../nn/text-encoder.ts";
import { TOKENS } from "../scenes/tokens.ts";
import { MOST_WORDS } from "../scenes/words.ts";
import type { UnetConfig } from "./unet-config.ts";

/** The fields of a job's spec that networks are made of. */
export interface NetworkFields {
  readonly data: { readonly imageSize: number; readonly patch: number; readonly augment: number };
  readonly model: Pick<
    UnetConfig,
    | "channels"
    | "channelMult"
    | "resBlocks"
    | "levelBlocks"
    | "scaleSkips"
    | "headChannels"
    | "groups"
    | "dropout"
    | "scaleShift"
    | "resample"
  > & {
    /** Resolutions. */
    readonly attention: readonly number[];
    readonly classes: number;
    readonly pool: "attention" | "adaptive";
    readonly layers: number;
    readonly bases: number;
    readonly buckets: number;
    readonly text?: Pick<TextConfig, "width" | "layers" | "heads"> | undefined;
    readonly embedding?: number | undefined;
    readonly lowRes?: { readonly size: number; readonly noise: number } | undefined;
  };
  /** Where there is a text encoder, captions are its words. */
  readonly models?: { readonly text?: object | undefined };
  readonly diffusion: ProcessOptions & {
    readonly process: ProcessName;
    readonly sigmaData: number;
    readonly variance: VarianceType;
  };
  readonly adversarial: { readonly latent: number; readonly spectralNorm: boolean };
  readonly autoencoder: { readonly latentChannels: number; readonly codes: number; readonly codeSide: number };
}

/** Of the data set's images. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Of a network that learns the words of captions: those of scenes. */
const VOCABULARY = { tokens: TOKENS, length: MOST_WORDS };

/** GroupNorm's epsilon in ADM. */
const EPS = 1e-5;

/** Numbers that a network gives for each of its input's: where a variance is learned, it comes behind the prediction. */
export const outputsOf = ({ process, variance }: NetworkFields["diffusion"]): number =>
  chainKind(process)?.outputs ?? (isLearned(variance) ? 2 : 1);

/** One row more than classes: the last means "no label". */
export const classRowsOf = ({ classes }: NetworkFields["model"]): number => (classes > 0 ? classes + 1 : 0);

/** The encoder of captions, of a network that reads any. */
const textConfig = (
  { text }: Pick<NetworkFields["model"], "text">,
  models: NetworkFields["models"],
): TextConfig | undefined => text && { ...text, vocabulary: models?.text ? undefined : VOCABULARY };

/** Of a network that learns its words in any case. */
export const ownTextConfig = ({ text }: Pick<NetworkFields["model"], "text">) =>
  text && { ...text, vocabulary: VOCABULARY };

/** Heads of a transformer of the job's channels. @throws PlumeError INVALID_ARGUMENT for heads that do not fill them. */
export function headsOfWidth({ channels, headChannels = channels }: NetworkFields["model"]): number {
  if (channels % headChannels === 0) return channels / headChannels;
  throw new PlumeError("INVALID_ARGUMENT", `heads of ${headChannels} channels do not divide the ${channels} channels`, {
    remedy: "set model.headChannels to a divisor of model.channels",
  });
}

/** Side of the feature map of a level, in the network's own pixels. */
export const sideOf = ({ data }: Pick<NetworkFields, "data">, level: number): number =>
  data.imageSize / data.patch / 2 ** level;

/** @param channels of the data set's images. */
export function unetConfig(fields: NetworkFields, channels: number): UnetConfig {
  const { data, model, models, diffusion } = fields;
  const patched = channels * data.patch * data.patch;
  return {
    inC: model.lowRes ? 2 * patched : patched,
    lowRes: model.lowRes && (model.lowRes.noise > 0 ? "augmented" : "plain"),
    outC: outputsOf(diffusion) * patched,
    text: textConfig(model, models),
    embedding: model.embedding,
    channels: model.channels,
    channelMult: model.channelMult,
    resBlocks: model.resBlocks,
    levelBlocks: model.levelBlocks,
    scaleSkips: model.scaleSkips,
    attentionLevels: model.channelMult.flatMap((_, level) =>
      model.attention.includes(sideOf(fields, level)) ? [level] : [],
    ),
    headChannels: model.headChannels,
    groups: model.groups,
    eps: EPS,
    dropout: model.dropout,
    scaleShift: model.scaleShift,
    resample: model.resample,
    classRows: classRowsOf(model),
    augmentLabels: data.augment > 0 ? AUGMENT_LABELS : undefined,
  };
}
