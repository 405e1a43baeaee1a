// The custom resource definition of a DiffusionPipeline, made of the pipeline's schema and the status's. What is below a stage's spec
// is a job's own affair: the operator reads it by the job's schema, and the API server judges the DiffusionJob that is made of it.

import { pipelineSchema } from "../../shared/stages/schema.ts";
import { column, withConditions } from "./definition.ts";
import { GROUP, VERSION } from "./object.ts";
import { PIPELINES } from "./pipeline-object.ts";
import { pipelineStatusSchema } from "./pipeline-status.ts";
import { type Structural, structuralOf } from "./structural.ts";

/** What `kubectl get dp` shows; those of priority 1 with -o wide. */
const COLUMNS = [
  column("Phase", ".status.phase"),
  column("Stage", ".status.stage"),
  column("Done", ".status.progress"),
  column("Age", ".metadata.creationTimestamp", { type: "date" }),
  column("Message", '.status.conditions[?(@.type=="Progressing")].message', { priority: 1 }),
];

/** Models that one stage may take: a bound for the server, which counts what a rule may cost. */
const MOST_MODELS = 16;

export const diffusionPipelineDefinition = () => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${PIPELINES}.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: {
      kind: "DiffusionPipeline",
      listKind: "DiffusionPipelineList",
      plural: PIPELINES,
      singular: "diffusionpipeline",
      shortNames: ["dp"],
      categories: ["all", "plume"],
    },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: COLUMNS,
        schema: { openAPIV3Schema: objectSchema() },
      },
    ],
  },
});

function objectSchema(): Structural {
  const { stages } = structuralOf(pipelineSchema.shape.spec).properties!;
  const status = structuralOf(
    pipelineStatusSchema.describe("what has become of the pipeline, written by the operator"),
  );
  return {
    type: "object",
    description:
      "Training runs that need one another: each stage a DiffusionJob that begins when the stages whose weights it takes are done. The file that `plume pipeline run -f` reads on a laptop, with its jobs in line.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec: {
        type: "object",
        description: "the pipeline: its stages",
        required: ["stages"],
        properties: { stages: byName({ ...stages!, items: stageOf(stages!.items!) }) },
      },
      status: withConditions({
        ...status,
        properties: { ...status.properties, stages: byName(status.properties!.stages!) },
      }),
    },
  };
}

/** No two of one name. */
const byName = (list: Structural): Structural => ({
  ...list,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["name"],
});

/** The job is in line: there is no laptop whose file it could be. */
function stageOf(stage: Structural): Structural {
  const { jobFile: _, models, ...others } = stage.properties!;
  return {
    ...stage,
    required: [...(stage.required ?? []), "spec"],
    properties: { ...others, models: { ...models!, maxProperties: MOST_MODELS } },
  };
}
