// The job's pods in a cluster: what is Kubernetes' own, in its own words. A run on one machine reads none of it.

import { z } from "zod";
import { PLUME_VERSION } from "../version.ts";

/** A map has no order: in the order of its keys it has the same bytes, whoever wrote it or carried it. */
const inOrder = <V>(map: Record<string, V>): Record<string, V> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));

export const sortedStrings = z.record(z.string(), z.string()).overwrite(inOrder);

const quantity = z.union(
  [z.string().regex(/^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$/), z.int().min(0)],
  "must be a quantity such as 500m, 2 or 4Gi",
);
const quantities = z.record(z.string(), quantity).overwrite(inOrder);

/** What the pods of one kind get beside what plume gives them; words and forms are Kubernetes'. */
const podSchema = (requests: Readonly<Record<string, string>>) =>
  z.strictObject({
    resources: z
      .strictObject({
        requests: quantities
          .default(requests)
          .describe("cpu, memory, nvidia.com/gpu: what a pod is promised; text, or a whole number"),
        limits: quantities
          .default({})
          .describe("the same names, and the most that a pod may take; no limit when absent"),
      })
      .prefault({})
      .describe("what each pod is promised, and the most that it may take"),
    nodeSelector: sortedStrings.default({}).describe("labels of the nodes that may run the pods"),
    tolerations: z
      .array(
        z.strictObject({
          key: z.string().optional().describe("the taint's key; every taint when absent, with Exists"),
          operator: z.enum(["Exists", "Equal"]).optional().describe("Equal when absent"),
          value: z.string().optional().describe("the taint's value, with Equal"),
          effect: z
            .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
            .optional()
            .describe("of the taint; every effect when absent"),
          tolerationSeconds: z.int().optional().describe("how long NoExecute is borne; for ever when absent"),
        }),
      )
      .default([])
      .describe("taints of nodes that the pods bear"),
    priorityClassName: z
      .string()
      .min(1)
      .optional()
      .describe("PriorityClass of the pods: who goes first where a cluster is full"),
    runtimeClassName: z.string().min(1).optional().describe("RuntimeClass of the pods, for example nvidia"),
    annotations: sortedStrings.default({}).describe("more annotations of each pod"),
  });

export const kubernetesSchema = z.strictObject({
  image: z.string().min(1).default(`plume:${PLUME_VERSION}`).describe("the image of plume, with its registry"),
  imagePullPolicy: z
    .enum(["Always", "IfNotPresent", "Never"])
    .default("IfNotPresent")
    .describe("when the image is pulled"),
  secret: z
    .string()
    .min(1)
    .default("plume-store")
    .describe("Secret whose entries all pods find in their environment, such as AWS_ACCESS_KEY_ID; it may be absent"),
  storage: z
    .string()
    .regex(/^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$/, "must be a quantity such as 20Gi")
    .optional()
    .describe("size of a volume for the run's folder, which then outlives the coordinator's pod; none when absent"),
  tls: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Secret of tls.crt, tls.key and ca.crt by which all pods prove themselves to one another; plaintext when absent",
    ),
  ttlSeconds: z
    .int()
    .min(0)
    .optional()
    .describe("a DiffusionJob is deleted so long after its end, its checkpoints are not; never when absent"),
  coordinator: podSchema({ cpu: "1", memory: "2Gi" }).prefault({}).describe("the coordinator's pod"),
  workers: podSchema({ cpu: "1", memory: "2Gi" }).prefault({}).describe("the workers' pods"),
});
