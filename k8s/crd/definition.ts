// The custom resource definition of a DiffusionJob, made of the job's schema and the status's.

import { decidesBits } from "../../shared/config/identity.ts";
import { jobSchema } from "../../shared/config/schema.ts";
import { GROUP, KIND, PLURAL, VERSION } from "./object.ts";
import { statusSchema } from "./status.ts";
import { type Structural, structuralOf, type Validation } from "./structural.ts";
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

export function column(
  name: string,
  jsonPath: string,
  more: { type?: string; description?: string; priority?: number } = {},
) {
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
  const { name } = metadata!.properties!;
  const ofName = name!["x-kubernetes-validations"] as readonly Validation[];
  return {
    type: "object",
    description:
      "A training run of a diffusion model: the same bits at any number of workers and through any failure. The file that `plume train -f` reads on a laptop.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object", properties: { name: { type: "string" } } },
      spec: specOf(spec!),
      status: withConditions(
        structuralOf(statusSchema.describe("what has become of the job, written by the operator")),
      ),
    },
    "x-kubernetes-validations": ofName.map((validation) => atPath(validation, "metadata.name")),
  };
}

/** A rule of a field as one of the object above: what is inside metadata may have none of its own. */
const atPath = (validation: Validation, path: string): Validation => {
  const raised = (expression: string) => expression.replaceAll(/\bself\b/g, `self.${path}`);
  const { rule, messageExpression, ...rest } = validation;
  return { ...rest, rule: raised(rule), messageExpression: raised(messageExpression!), fieldPath: `.${path}` };
};

function specOf(spec: Structural): Structural {
  const { monitoring, workers, ...groups } = withRemarks(spec, "").properties!;
  return {
    ...spec,
    properties: { ...groups, monitoring: withoutToken(monitoring!), workers: withFloorAsRule(workers!) },
    "x-kubernetes-validations": specValidations(),
  };
}

/** Whoever may read a job would read it. It comes from a Secret. */
function withoutToken(monitoring: Structural): Structural {
  const { token: _, ...properties } = monitoring.properties!;
  return { ...monitoring, properties };
}

/** kubectl scale --replicas=0 gets an answer that says what to do instead: a rule, where a minimum says its number. */
function withFloorAsRule(workers: Structural): Structural {
  const { minimum: _, ...replicas } = workers.properties!.replicas!;
  return { ...workers, properties: { ...workers.properties, replicas } };
}

/** What kubectl explain does not tell by itself: a field's default, and that it cannot change. */
function withRemarks(node: Structural, path: string): Structural {
  if (node.properties) {
    const properties = Object.entries(node.properties).map(
      ([name, child]) => [name, withRemarks(child, path ? `${path}.${name}` : name)] as const,
    );
    return { ...node, properties: Object.fromEntries(properties) };
  }
  const remarks = [
    node.description,
    node.default !== undefined && `default ${JSON.stringify(node.default)}`,
    decidesBits(path) && "cannot change",
  ];
  return { ...node, description: remarks.filter(Boolean).join("; ") };
}

/** Conditions are a map by their type: whoever applies one does not touch the others. */
export function withConditions(status: Structural): Structural {
  const conditions = {
    ...status.properties!.conditions,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
  };
  return { ...status, properties: { ...status.properties, conditions } };
}
