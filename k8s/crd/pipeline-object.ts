// A DiffusionPipeline as an API server holds it, and the way back to the stages that a laptop reads.

import { PlumeError } from "../../shared/errors.ts";
import { checkPipeline } from "../../shared/stages/load.ts";
import { edgesOf, PIPELINE_KIND, type Pipeline } from "../../shared/stages/schema.ts";
import type { DiffusionJobObject } from "./object.ts";
import type { DiffusionPipelineStatus } from "./pipeline-status.ts";

export const PIPELINES = "diffusionpipelines";

export interface DiffusionPipelineObject extends Omit<DiffusionJobObject, "kind" | "spec" | "status"> {
  readonly kind: typeof PIPELINE_KIND;
  readonly spec: { readonly stages: readonly StageObject[] };
  readonly status?: DiffusionPipelineStatus;
}

interface StageObject {
  readonly name: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** @throws PlumeError INVALID_ARGUMENT with every fault of one kind: of the file, or of what a cluster asks beyond it. */
export function pipelineOf({ apiVersion, kind, metadata, spec }: DiffusionPipelineObject): Pipeline {
  const from = `${PIPELINE_KIND} ${metadata.namespace ?? "default"}/${metadata.name}`;
  const value = { apiVersion, kind, metadata: { name: metadata.name }, spec };
  const pipeline = checkPipeline(value, from, { jobOf: noFile });
  const faults = clusterFaults(pipeline);
  if (faults.length === 0) return pipeline;
  throw new PlumeError("INVALID_ARGUMENT", `${from}: ${faults.join("\n  ")}`, {
    remedy: "edit the pipeline and apply it again",
  });
}

function noFile(path: string, stage: string): never {
  throw new PlumeError("INVALID_ARGUMENT", `stage ${stage}: jobFile ${path} is on a laptop`, {
    remedy: "plume render -f FILE prints the pipeline with every job in line",
  });
}

/** Pods of one stage do not see the folders of another's, and a job that is gone would be trained again. */
function clusterFaults({ stages }: Pipeline): readonly string[] {
  const taken = new Set(stages.flatMap((stage) => edgesOf(stage).map(([, edge]) => edge.stage)));
  return stages.flatMap(({ name, job: { spec } }) => [
    ...(taken.has(name) && !spec.checkpoint.store?.startsWith("s3://")
      ? [
          `stage ${name}: checkpoint.store ${spec.checkpoint.store ?? "is not set, and"} is in its pods, where no other stage reads it; set s3://BUCKET/PREFIX`,
        ]
      : []),
    ...(spec.kubernetes.ttlSeconds === undefined
      ? []
      : [`stage ${name}: kubernetes.ttlSeconds would have its job deleted, and trained again; leave it out`]),
  ]);
}
