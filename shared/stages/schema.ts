// The pipeline file. This zod schema is its only source: types, validation, and the part of a cluster's definition that is not a
// job's own.

import { z } from "zod";
import { type FrozenName, WEIGHTS } from "../config/models.ts";
import { type Job, NAME } from "../config/schema.ts";

export const PIPELINE_KIND = "DiffusionPipeline";

const name = z
  .string()
  .max(53)
  .regex(...NAME);

export const edgeSchema = z.strictObject({
  stage: name.describe("the stage whose checkpoint it is"),
  weights: z.enum(WEIGHTS).default("ema").describe("which of its weights: the average, or the last step's"),
  step: z.int().min(1).optional().describe("the checkpoint of this step; the last one when absent"),
});

export const baseSchema = z.strictObject({ stage: name.describe("the stage that draws the small images") });

export const stageSchema = z.strictObject({
  name: name.describe("the stage's name; its run is in a folder of this name"),
  jobFile: z
    .string()
    .min(1)
    .optional()
    .describe("a job file, from this file's folder; in a cluster plume render puts it in line"),
  spec: z.record(z.string(), z.unknown()).optional().describe("the job in line: what is below spec in a job file"),
  models: z
    .record(z.string(), edgeSchema)
    .default({})
    .describe("fields of the job's spec.models, each with the stage whose checkpoint it takes"),
  base: baseSchema.optional().describe("of an upsampler: the stage whose images it enlarges when both are drawn"),
});

export const pipelineSchema = z.strictObject({
  apiVersion: z.literal("plume.dev/v1alpha1").default("plume.dev/v1alpha1"),
  kind: z.literal(PIPELINE_KIND),
  metadata: z.strictObject({ name: name.describe("the pipeline's name; its folder is runs/<name>") }),
  spec: z.strictObject({ stages: z.array(stageSchema).min(1).max(32).describe("the jobs, in any order") }),
});

/** Which checkpoint of which stage. */
export type Edge = z.infer<typeof edgeSchema>;

export interface Stage {
  readonly name: string;
  /** With a place that is none in every field that an edge fills: `jobWith` puts the real ones there. */
  readonly job: Job;
  readonly models: Readonly<Partial<Record<FrozenName, Edge>>>;
  /** The stage that draws its small images. */
  readonly base: string | null;
}

export interface Pipeline {
  readonly name: string;
  /** Each after all that it takes. */
  readonly stages: readonly Stage[];
}

export const edgesOf = ({ models }: Pick<Stage, "models">): readonly (readonly [FrozenName, Edge])[] =>
  Object.entries(models) as [FrozenName, Edge][];

/** Which weights of a stage an edge takes: "ema", or "raw@500". */
export const weightsKey = ({ weights, step }: Edge): string => (step === undefined ? weights : `${weights}@${step}`);
