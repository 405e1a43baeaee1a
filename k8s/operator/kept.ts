// What is kept in memory of an object that a watch tells of: what a decision may look at. Most of what a pod says is of no use
// here, and of who wrote what in an object (metadata.managedFields) only the operator's own part is. Pure.

import { isOwnApply } from "./drift.ts";
import type { KubernetesObject, Pod } from "./objects.ts";

export function keptOf(object: KubernetesObject): KubernetesObject {
  const { managedFields, ...metadata } = object.metadata;
  if (object.kind === "Pod") return keptPod({ ...object, metadata } as Pod);
  const own = (managedFields ?? []).filter(isOwnApply);
  return { ...object, metadata: { ...metadata, ...(own.length > 0 && { managedFields: own }) } };
}

function keptPod({ spec: { nodeName, volumes }, ...pod }: Pod): Pod {
  const files = (volumes ?? []).filter(({ configMap }) => configMap !== undefined);
  return { ...pod, spec: { ...(nodeName !== undefined && { nodeName }), volumes: files } };
}
