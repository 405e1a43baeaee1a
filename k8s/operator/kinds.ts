// The kinds of objects that the operator reads and writes, and where the API server has them.

import { GROUP, PLURAL, VERSION } from "../crd/object.ts";
import { PIPELINES } from "../crd/pipeline-object.ts";
import type { KubernetesObject } from "./objects.ts";

interface Kind {
  readonly apiVersion: string;
  readonly plural: string;
}

const KINDS = {
  DiffusionJob: { apiVersion: `${GROUP}/${VERSION}`, plural: PLURAL },
  DiffusionPipeline: { apiVersion: `${GROUP}/${VERSION}`, plural: PIPELINES },
  StatefulSet: { apiVersion: "apps/v1", plural: "statefulsets" },
  Pod: { apiVersion: "v1", plural: "pods" },
  ConfigMap: { apiVersion: "v1", plural: "configmaps" },
  Service: { apiVersion: "v1", plural: "services" },
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts" },
  Role: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "roles" },
  RoleBinding: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "rolebindings" },
  PodDisruptionBudget: { apiVersion: "policy/v1", plural: "poddisruptionbudgets" },
  Event: { apiVersion: "v1", plural: "events" },
  Lease: { apiVersion: "coordination.k8s.io/v1", plural: "leases" },
  Node: { apiVersion: "v1", plural: "nodes" },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

/** Made for a job, and watched. */
export const CHILD_KINDS = [
  "StatefulSet",
  "ConfigMap",
  "Service",
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "PodDisruptionBudget",
] as const satisfies readonly KindName[];

/** @param namespace null for all of them, or for a kind that has none. */
export function collectionPath(name: KindName, namespace: string | null): string {
  const { apiVersion, plural } = KINDS[name];
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespace === null ? `${root}/${plural}` : `${root}/namespaces/${namespace}/${plural}`;
}

export const objectPath = ({ kind, metadata }: Pick<KubernetesObject, "kind" | "metadata">): string =>
  `${collectionPath(kind as KindName, metadata.namespace ?? null)}/${metadata.name}`;

export const apiVersionOf = (name: KindName): string => KINDS[name].apiVersion;
