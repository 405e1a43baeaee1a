// The custom resource definition of a DiffusionJob, made of the job's schema and the status's.

import { jobSchema } from "../../shared/config/schema.ts";
import { GROUP, KIND, PLURAL, VERSION } from "./object.ts";
import { statusSchema } from "./status.ts";
import { type Structural, structuralOf } from "./structural.ts";
import { specValidations } from "./validations.ts";

/** What `kubectl get dj` shows; those of priority 1 with -o wide. */
const COLUMNS = [
  column("Phase", ".status.phase"),
  column("Step", ".status.columns.step"),
  column("Loss", ".status.columns.loss"),
  column("Workers", ".status.columns.workers"),
  column("Samples/s", ".status.columns.samplesPerSecond"),
  column("ETA", ".status.columns.eta"),
  column("Ckpt", ".status.checkpoint.time", { type: "date", description: "age of the newest durable checkpoint" }),
  column("Age", ".metadata.creationTimestamp", { type: "date" }),
  column("Checkpoint", ".status.checkpoint.url", { priority: 1 }),
  column("Weights", ".status.weightsSha256", { priority: 1 }),
  column("Data", ".spec.data.source", { priority: 1 }),
  column("Message", '.status.conditions[?(@.type=="Progressing")].message', { priority: 1 }),
];

function column(name: string, jsonPath: string, more: { type?: string; description?: string; priority?: number } = {}) {
  return { name, type: "string", jsonPath, ...more };
}

export const diffusionJobDefinition = () => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${PLURAL}.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: {
      kind: KIND,
      listKind: `${KIND}List`,
      plural: PLURAL,
      singular: KIND.toLowerCase(),
      shortNames: ["dj"],
      categories: ["all", "plume"],
    },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: ".spec.workers.replicas",
            statusReplicasPath: ".status.workers.replicas",
            labelSelectorPath: ".status.workers.selector",
          },
        },
        additionalPrinterColumns: COLUMNS,
        schema: { openAPIV3Schema: objectSchema() },
      },
    ],
  },
});

function objectSchema(): Structural {
  const { metadata, spec } = structuralOf(jobSchema).properties!;
  const [nameRule] = metadata!.properties!.name!["x-kubernetes-validations"]!;
  return {
    type: "object",
    description:
      "A training run of a diffusion model: the same bits at any number of workers and through any failure. The file that `plume train -f` reads on a laptop.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec: specOf(spec!),
      status: statusOf(),
    },
    "x-kubernetes-validations": [
      {
        rule: nameRule!.rule.replace("self", "self.metadata.name"),
        message: `metadata.name ${nameRule!.message}`,
      },
    ],
  };
}

/** Without the token: whoever may read a job would read it. It comes from a Secret. */
function specOf(spec: Structural): Structural {
  const { token: _, ...monitoring } = spec.properties!.monitoring!.properties!;
  return {
    ...spec,
    properties: { ...spec.properties, monitoring: { ...spec.properties!.monitoring, properties: monitoring } },
    "x-kubernetes-validations": specValidations(),
  };
}

/** Conditions are a map by their type: whoever applies one does not touch the others. */
function statusOf(): Structural {
  const status = structuralOf(statusSchema.describe("what has become of the job, written by the operator"));
  const conditions = {
    ...status.properties!.conditions,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
  };
  return { ...status, properties: { ...status.properties, conditions } };
}
