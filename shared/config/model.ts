// What is trained: a group of a job. Which network reads which of it is said by each field, and by the rules.

import { z } from "zod";
import { NETWORKS } from "../models/index.ts";
import { listed, oneOf } from "./family.ts";
import { lowResSchema } from "./low-res.ts";
import { MOST_CHANNELS, MOST_LEVELS, MOST_MULT } from "./rules.ts";
import { textSchema } from "./text.ts";

const positiveInt = z.int().min(1);
const probability = z.number().min(0).max(1);

export const modelSchema = z.strictObject({
  type: oneOf(NETWORKS)
    .default("unet")
    .describe(`the network: ${listed(NETWORKS)}`),
  channels: positiveInt
    .max(MOST_CHANNELS)
    .default(32)
    .describe(
      "channels of the first level, of flow those between its couplings; units of a layer of mlp and gan-mlp; channels of a token in clip's image tower, in prior, ar-prior and dalle",
    ),
  channelMult: z
    .array(positiveInt.max(MOST_MULT))
    .min(1)
    .max(MOST_LEVELS)
    .default([1, 2])
    .describe("channel multiplier of each level"),
  resBlocks: positiveInt.default(1).describe("residual blocks a level"),
  levelBlocks: z
    .array(positiveInt.max(64))
    .min(1)
    .max(MOST_LEVELS)
    .optional()
    .describe(
      "residual blocks of each level, in place of resBlocks: more of them where pixels are few (Efficient U-Net)",
    ),
  scaleSkips: z
    .boolean()
    .default(false)
    .describe("skips count 1/sqrt(2) where the U-Net's way up takes them (Efficient U-Net)"),
  attention: z
    .array(positiveInt)
    .max(MOST_LEVELS)
    .default([])
    .describe("resolutions (pixels of the feature map) that have attention"),
  headChannels: positiveInt.optional().describe("channels of one attention head; one head when absent"),
  groups: positiveInt.default(8).describe("groups of every GroupNorm"),
  dropout: probability.default(0).describe("dropout rate inside residual blocks"),
  scaleShift: z
    .boolean()
    .default(true)
    .describe("time embedding as scale and shift of the norm (AdaGN) instead of a sum"),
  resample: z
    .enum(["conv", "resblock"])
    .default("conv")
    .describe("down and up by a convolution, or by a residual block (BigGAN)"),
  classes: z.int().min(0).default(0).describe("number of classes; 0 trains without labels, which a classifier cannot"),
  layers: positiveInt
    .max(64)
    .default(3)
    .describe(
      "hidden layers of mlp and gan-mlp; steps of a level of flow; transformer layers of clip's image tower, of prior, ar-prior and dalle",
    ),
  bases: z.int().min(2).max(1000).default(10).describe("bumps over time by which mlp's outputs depend on it"),
  buckets: z
    .int()
    .min(2)
    .max(65_536)
    .default(1024)
    .describe("K: buckets into which an ar-prior cuts each number of an embedding, -sqrt(D) to sqrt(D), and draws one"),
  pool: z
    .enum(["attention", "adaptive"])
    .default("attention")
    .describe("how a classifier makes one answer of its feature map: by an attention of its own, or by the mean"),
  text: textSchema.optional().describe("makes it read captions: the encoder of their words, which is trained with it"),
  embedding: positiveInt
    .max(4096)
    .optional()
    .describe(
      "dimensions of CLIP's embeddings: of those that a clip learns, or of models.clip's, which a prior or ar-prior draws and a unet is told",
    ),
  lowRes: lowResSchema.optional().describe("makes it an upsampler: the image at a lower resolution, which it is told"),
});
