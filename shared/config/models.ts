// Other trained models that a job names: a group of it, a field a model.

import { z } from "zod";

/** What a checkpoint has of a model: its average, or the last step's. */
export const WEIGHTS = ["ema", "raw"] as const;
export type Weights = (typeof WEIGHTS)[number];

/** training.init: the name of a model, or the sha256 of weights that were imported. */
export const INIT = /^(teacher|[0-9a-f]{64})$/;

const PLACE =
  "file://DIR of a run, a store, one step-... folder or an exported folder; s3://BUCKET/PREFIX of a store or of one step in it, reached as spec.store says";

const frozenSchema = z.strictObject({
  from: z
    .string()
    .regex(/^(file|s3):\/\/./, "must be a run, a store or a checkpoint at file:// or s3://")
    .max(2048)
    .describe(PLACE),
  weights: z.enum(WEIGHTS).default("ema").describe("which of its weights: the average, or the last step's"),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be the sha256 of weights, as summary.json has it")
    .optional()
    .describe(
      "sha256 of those weights; when absent, of those that are there when the run begins: it never uses others",
    ),
});

/** Whose words a network reads, and how many tokens of a caption. */
const textEncoderSchema = z.strictObject({
  from: z
    .string()
    .regex(/^(file|s3):\/\/./, "must be a folder of a text encoder, or a clip's run or checkpoint, at file:// or s3://")
    .max(2048)
    .describe(
      "file://DIR or s3://BUCKET/PREFIX of a T5 encoder, as Hugging Face's transformers saves it, or of a clip that plume trained, as models.clip.from: its text tower",
    ),
  weights: z
    .enum(WEIGHTS)
    .optional()
    .describe("of a clip: the average, or the last step's; ema when absent, or what an exported folder has"),
  length: z
    .int()
    .min(2)
    .max(512)
    .default(64)
    .describe("tokens of a caption, its end among them; of captions of the data those beyond are left out"),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be the sha256 of a text encoder, as the job in a run's folder has it")
    .optional()
    .describe("sha256 of that encoder; when absent, of what is there when the run begins: it never uses another"),
});

export const modelsSchema = z.strictObject({
  teacher: frozenSchema.optional().describe("the model that is distilled; nothing is learned of it"),
  classifier: frozenSchema
    .optional()
    .describe("the classifier of noised images that guides what is sampled (sampling.classifierScale)"),
  text: textEncoderSchema
    .optional()
    .describe(
      "the frozen text encoder whose words model.text reads, as Imagen does: a T5 encoder for captions of any words, or a clip for those of scenes",
    ),
  clip: frozenSchema
    .optional()
    .describe("the CLIP whose embeddings the network is told, or a prior draws (model.embedding)"),
  prior: frozenSchema
    .optional()
    .describe("the prior that draws these of captions, for what a unet of model.embedding samples"),
  dvae: frozenSchema
    .optional()
    .describe("the dvae whose codes a dalle learns and draws, and which makes images of them"),
});

export type FrozenName = keyof z.infer<typeof modelsSchema>;
export const FROZEN_NAMES = Object.keys(modelsSchema.shape) as readonly FrozenName[];
/** Those that are run beside the network; of the text encoder it is told words, made once a caption. */
export type TrainedName = Exclude<FrozenName, "text">;
