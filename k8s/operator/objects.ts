// What plume reads of Kubernetes' objects, as the API server writes them: JSON, times as RFC 3339 text.

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ManagedFields {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly subresource?: string;
  readonly fieldsV1?: FieldSet;
}

/** Which fields a manager owns: "f:NAME" of a map, "k:KEYS" and "v:VALUE" of a list; a leaf is empty. */
export interface FieldSet {
  readonly [key: string]: FieldSet;
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  /** By when it should be gone: its grace period is in it. */
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string };
}

export interface ContainerStatus {
  readonly name: string;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
  readonly restartCount?: number;
}

interface Container {
  readonly env?: readonly { readonly name: string }[];
}

interface PodCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name?: string };
}

export interface Pod extends KubernetesObject {
  readonly spec: { readonly nodeName?: string; readonly volumes?: readonly Volume[] };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly PodCondition[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface StatefulSet extends KubernetesObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly spec: { readonly volumes?: readonly Volume[]; readonly containers?: readonly Container[] };
    };
    readonly volumeClaimTemplates?: readonly object[];
  };
  readonly status?: {
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly updateRevision?: string;
    readonly observedGeneration?: number;
  };
}

export interface ConfigMap extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** What somebody tells of an object. */
export interface KubernetesEvent extends KubernetesObject {
  readonly involvedObject: { readonly kind?: string; readonly name?: string; readonly uid?: string };
  readonly message?: string;
  readonly lastTimestamp?: string;
  readonly eventTime?: string;
}

export interface Node extends KubernetesObject {
  readonly status?: {
    readonly conditions?: readonly (PodCondition & { readonly lastTransitionTime?: string })[];
  };
}
