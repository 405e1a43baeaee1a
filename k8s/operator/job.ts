// A DiffusionJob as the API server has it, and who belongs to it.

import { type DiffusionJobObject, GROUP, VERSION } from "../crd/object.ts";
import type { KubernetesObject, OwnerReference } from "./objects.ts";

export type DiffusionJob = DiffusionJobObject & KubernetesObject;

/** Of everything that is made for a job, or for a pipeline: the garbage collector takes it with that. */
export function ownerOf({ kind, metadata }: Pick<KubernetesObject, "kind" | "metadata">): OwnerReference {
  const { name, uid } = metadata;
  return { apiVersion: `${GROUP}/${VERSION}`, kind, name, uid: uid!, controller: true, blockOwnerDeletion: true };
}

export const isOwnedBy = (object: KubernetesObject, uid: string | undefined): boolean =>
  controllerOf(object)?.uid === uid && uid !== undefined;

export const controllerOf = ({ metadata }: KubernetesObject): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller);
