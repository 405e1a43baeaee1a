// How pictures are drawn: a group of a job.

import { z } from "zod";
import { GRIDS } from "../diffusion/grids.ts";
import { PERCENTILE, THRESHOLDS } from "../diffusion/thresholds.ts";
import { SAMPLERS } from "../samplers/index.ts";
import { listed, oneOf } from "./family.ts";

export const samplingSchema = z.strictObject({
  everySteps: z
    .int()
    .min(0)
    .default(0)
    .describe("steps between sample grids while training; 0 only at the end; a classifier draws none at all"),
  count: z.int().min(0).default(16).describe("images a grid; 0 for none"),
  sampler: oneOf(SAMPLERS).default("ddim").describe(listed(SAMPLERS)),
  steps: z.int().min(1).default(50).describe("denoising steps an image"),
  eta: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("noise of the samplers that add some: 0 deterministic, 1 ancestral; the sampler's own when absent"),
  grid: oneOf(GRIDS)
    .optional()
    .describe(`noise levels of the samplers that walk through sigma: ${listed(GRIDS)}; the sampler's own when absent`),
  threshold: oneOf(THRESHOLDS)
    .optional()
    .describe(`what becomes of each x_0 that is predicted on the way: ${listed(THRESHOLDS)}; static when absent`),
  percentile: z
    .number()
    .gt(1, `a percentile, not a ratio: ${PERCENTILE} for ${PERCENTILE / 100}`)
    .max(100)
    .optional()
    .describe(`percentile of |x_0| that threshold dynamic clips to; ${PERCENTILE} when absent`),
  guidance: z
    .number()
    .min(0)
    .default(1)
    .describe("classifier-free guidance scale s: eps = u + s(c - u); 1 is plain conditional"),
  classifierScale: z
    .number()
    .min(0)
    .max(1000)
    .optional()
    .describe("scale s of classifier guidance by models.classifier: s grad log p(y | x_t); 1 when absent, 0 for none"),
  temperature: z
    .number()
    .positive()
    .max(100)
    .optional()
    .describe("what the logits of a dalle's or an ar-prior's codes are divided by before one is drawn; 1 when absent"),
  topK: z
    .int()
    .min(1)
    .max(65_536)
    .optional()
    .describe("a dalle or an ar-prior draws each code of so many likeliest; of all when absent"),
  prompts: z
    .array(z.string().min(1).max(1000))
    .min(1)
    .max(16)
    .optional()
    .describe("what the images of a model that reads captions show, a column each; some of scenes when absent"),
  lowResNoise: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      "s of conditioning augmentation: how far an upsampler's low-resolution images are noised, 0 for not at all",
    ),
});
