// What the operator tells of a pipeline: the status of a DiffusionPipeline. This schema is its only source, as status.ts is a job's.

import { z } from "zod";
import { conditionsOf } from "./status.ts";

const PIPELINE_PHASES = ["Pending", "Training", "Complete", "Failed", "Stale", "Invalid"] as const;
export type PipelinePhase = (typeof PIPELINE_PHASES)[number];

export const PIPELINE_CONDITIONS = ["Progressing", "Stale", "Invalid", "Complete", "Failed"] as const;

const count = z.int().min(0);

const stageStatusSchema = z.strictObject({
  name: z.string().describe("the stage"),
  job: z.string().describe("its DiffusionJob"),
  state: z.enum(["Done", "Training", "Ready", "Blocked", "Stale"]).describe("what becomes of it next"),
  weightsSha256: z.string().optional().describe("digest of its final weights"),
  emaSha256: z.string().optional().describe("digest of their average"),
});

export const pipelineStatusSchema = z.strictObject({
  phase: z.enum(PIPELINE_PHASES).optional().describe("what the pipeline is doing"),
  observedGeneration: count.optional().describe("metadata.generation that this status was written for"),
  stage: z.string().optional().describe("the stages that are being trained"),
  done: count.optional().describe("stages that are done"),
  total: count.optional().describe("stages that there are"),
  progress: z.string().optional().describe("1/2"),
  stages: z.array(stageStatusSchema).max(32).optional().describe("every stage, in the order of what they take"),
  conditions: conditionsOf(PIPELINE_CONDITIONS, "pipeline"),
});

export type StageStatus = z.infer<typeof stageStatusSchema>;
export type DiffusionPipelineStatus = z.infer<typeof pipelineStatusSchema>;
