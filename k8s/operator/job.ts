// A DiffusionJob as the API server has it, and who belongs to it.

import { type DiffusionJobObject, GROUP, KIND, VERSION } from "../crd/object.ts";
import type { KubernetesObject, OwnerReference } from "./objects.ts";

export type DiffusionJob = DiffusionJobObject & KubernetesObject;

/** Of everything that is made for a job: the garbage collector takes it with the job. */
export function ownerOf({ metadata }: DiffusionJob): OwnerReference {
  const { name, uid } = metadata;
  return { apiVersion: `${GROUP}/${VERSION}`, kind: KIND, name, uid: uid!, controller: true, blockOwnerDeletion: true };
}

export const isOwnedBy = (object: KubernetesObject, uid: string | undefined): boolean =>
  controllerOf(object)?.uid === uid && uid !== undefined;

export const controllerOf = ({ metadata }: KubernetesObject): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller);
