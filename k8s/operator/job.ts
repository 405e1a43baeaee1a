// A DiffusionJob as the API server has it, and what it says of itself.

import type { Condition } from "../../shared/kubernetes/conditions.ts";
import type { KubernetesObject, OwnerReference } from "../../shared/kubernetes/object.ts";

export const GROUP = "plume.dev/v1alpha1";
export const KIND = "DiffusionJob";

/** The status subresource. What is not known yet is absent. */
export interface JobStatus {
  readonly observedGeneration?: number;
  readonly phase?: string;
  readonly step?: number;
  readonly steps?: number;
  readonly loss?: number;
  readonly samplesPerSecond?: number;
  readonly etaSeconds?: number;
  readonly workers?: {
    readonly replicas: number;
    readonly ready: number;
    readonly desired: number;
    readonly selector: string;
  };
  readonly checkpoint?: { readonly step: number; readonly time?: string; readonly url?: string };
  readonly weightsSha256?: string;
  readonly conditions?: readonly Condition[];
}

export interface DiffusionJob extends KubernetesObject {
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly suspend?: boolean;
    readonly workers?: { readonly replicas?: number };
  };
  readonly status?: JobStatus;
}

/** Of everything that is made for a job: the garbage collector takes it with the job. */
export function ownerOf({ metadata }: DiffusionJob): OwnerReference {
  const { name, uid } = metadata;
  return { apiVersion: GROUP, kind: KIND, name, uid: uid!, controller: true, blockOwnerDeletion: true };
}

export const isOwnedBy = (object: KubernetesObject, uid: string | undefined): boolean =>
  controllerOf(object)?.uid === uid && uid !== undefined;

export const controllerOf = ({ metadata }: KubernetesObject): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller);
