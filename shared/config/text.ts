// How a network reads captions: a group of a job's model that a job may lack.

import { z } from "zod";

export const textSchema = z.strictObject({
  width: z
    .int()
    .min(1)
    .max(4096)
    .default(32)
    .describe("channels of a word in the encoder of captions; with models.text, as many as its words have"),
  layers: z
    .int()
    .min(0)
    .max(32)
    .default(2)
    .describe(
      "transformer layers of the encoder of captions; with models.text, of those that are trained on its words: 0 as in Imagen",
    ),
  heads: z.int().min(1).max(64).default(2).describe("attention heads of each; they divide the width"),
});

export type TextFields = z.infer<typeof textSchema>;
