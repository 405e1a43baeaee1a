// The settings of ADM's U-Net and what follows from them. Owns the checks that make a network of them possible; knows
// nothing of layers.

import { PlumeError } from "../errors.ts";
import type { TextConfig } from "../nn/text-encoder.ts";

export interface UnetConfig {
  /** Those of the low-resolution image among them, behind x's. */
  readonly inC: number;
  readonly outC: number;
  /** An upsampler: half of its input is the low-resolution image; augmented, it is told the level of its noise too. */
  readonly lowRes?: "plain" | "augmented" | undefined;
  /** The encoder of captions, whose words are attended to and whose mean joins the time embedding. */
  readonly text?: TextConfig | undefined;
  /** Dimensions of CLIP's embedding of the image, where it is told that: a decoder (Ramesh et al. 2022, Sec. 2.1). */
  readonly embedding?: number | undefined;
  /** Channels of a level are `channels` times its multiplier. */
  readonly channels: number;
  readonly channelMult: readonly number[];
  /** Width of the sinusoids of t, of which the time embedding is 4 times as wide; absent, the channels of level 0. */
  readonly embedChannels?: number | undefined;
  readonly resBlocks: number;
  /** Residual blocks of each level, in place of resBlocks: the shift of parameters to low resolutions of Imagen's Efficient U-Net. */
  readonly levelBlocks?: readonly number[] | undefined;
  /** Skips count 1/sqrt(2) where the way up takes them: Saharia et al. 2022, Sec. 2.3 and App. B. */
  readonly scaleSkips?: boolean | undefined;
  /** Levels (0 is the finest) that have attention; the middle always has. */
  readonly attentionLevels: readonly number[];
  /** Channels of one head, or a number of heads; one head when neither is given. */
  readonly headChannels?: number | undefined;
  readonly heads?: number | undefined;
  /** Groups of every GroupNorm (ADM: 32) and what it adds to the variance (ADM: 1e-5). */
  readonly groups: number;
  readonly eps: number;
  readonly dropout: number;
  /** The time embedding scales and shifts behind the norm (AdaGN) instead of being added before it. */
  readonly scaleShift: boolean;
  readonly resample: "conv" | "resblock";
  /** Rows of the class embedding; 0 for none. A job has one more than its classes: the last means "no label". */
  readonly classRows: number;
  /** Numbers that tell how an image was augmented, which EDM adds to the sinusoids by a map without bias; none when absent. */
  readonly augmentLabels?: number | undefined;
}

/** The tensor of that map, which what is drawn does not need. */
export const AUGMENT_WEIGHT = "augment_embedding.weight";

export const levelChannels = ({ channels, channelMult }: UnetConfig): number[] =>
  channelMult.map((mult) => channels * mult);

/** Channels of what is attended to beside the pixels, words and tokens of an embedding; undefined where there is nothing. */
export const besideC = ({ text, embedding }: UnetConfig): number | undefined => text?.width ?? embedding;

/** Residual blocks of a level; the way up has one more. */
export const blocksOf = ({ levelBlocks, resBlocks }: UnetConfig, level: number): number =>
  levelBlocks?.[level] ?? resBlocks;

/** Width of the sinusoids; the time embedding has 4 times as many. */
export const sinusoidsOf = (config: UnetConfig): number => config.embedChannels ?? levelChannels(config)[0]!;

export const headsOf = ({ heads, headChannels }: UnetConfig, channels: number): number =>
  headChannels ? channels / headChannels : (heads ?? 1);

/** @throws PlumeError INVALID_ARGUMENT when no network can have these settings. */
export function checkConfig(config: UnetConfig): void {
  const { groups, attentionLevels, channelMult } = config;
  const last = channelMult.length - 1;
  const widths = levelChannels(config);
  const stray = attentionLevels.find((level) => !Number.isInteger(level) || level < 0 || level > last);
  if (stray !== undefined)
    throw refused(`attention is asked for at level ${stray}`, `the network has levels 0 to ${last}`);
  widths.forEach((width, level) => {
    if (!Number.isInteger(width)) throw refused(`level ${level} would have ${width} channels`, "choose whole numbers");
    if (width % groups !== 0)
      throw refused(`${groups} groups do not divide the ${width} channels of level ${level}`, "choose a divisor");
    const attends = level === last || attentionLevels.includes(level);
    if (attends && !Number.isInteger(width / headsOf(config, width)))
      throw refused(
        `${config.heads} heads do not divide the ${width} channels of level ${level}`,
        "choose a divisor, or give headChannels",
      );
    if (attends && !Number.isInteger(headsOf(config, width)))
      throw refused(
        `heads of ${config.headChannels} channels do not divide the ${width} channels of level ${level}`,
        "choose a divisor of the channels of every level with attention, and of the last",
      );
  });
}

const refused = (what: string, remedy: string) => new PlumeError("INVALID_ARGUMENT", what, { remedy });
