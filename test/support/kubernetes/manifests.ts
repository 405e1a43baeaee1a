// What is applied together, and every pod that it would make, wherever a template stands: in a set, a Deployment, a JobSet's
// replicated job.

import type { KubernetesObject } from "../../../k8s/render/templates.ts";

type Labels = Readonly<Record<string, string>>;

interface Reference {
  readonly name?: string;
  readonly optional?: boolean;
}

interface Probe {
  readonly httpGet?: { readonly path?: string; readonly port: string | number };
  readonly [kind: string]: unknown;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly resources?: { readonly requests?: object; readonly limits?: object };
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly hostPort?: number }[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef?: Reference; readonly configMapKeyRef?: Reference };
  }[];
  readonly envFrom?: readonly { readonly secretRef?: Reference; readonly configMapRef?: Reference }[];
  readonly securityContext?: Security;
}

interface Security {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
}

interface Volume {
  readonly name: string;
  readonly hostPath?: object;
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string };
  readonly configMap?: Reference;
  readonly secret?: { readonly secretName?: string; readonly optional?: boolean };
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly securityContext?: Security;
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly priorityClassName?: string;
  readonly restartPolicy?: string;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly topologySpreadConstraints?: readonly object[];
  readonly affinity?: { readonly podAntiAffinity?: object };
}

export interface Pod {
  /** What it is made by. */
  readonly owner: KubernetesObject;
  readonly labels: Labels;
  readonly spec: PodSpec;
}

export interface Manifests {
  readonly objects: readonly KubernetesObject[];
  readonly pods: readonly Pod[];
}

/** One that is started again whatever it ends with. */
export const isForEver = ({ spec }: Pod): boolean => (spec.restartPolicy ?? "Always") === "Always";

export const containersOf = ({ spec }: Pod): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];

export const podsOf = (owner: KubernetesObject): Pod[] => [...podsIn(owner, owner)];

function* podsIn(node: unknown, owner: KubernetesObject): Generator<Pod> {
  if (typeof node !== "object" || node === null) return;
  const { metadata, spec } = node as { metadata?: { labels?: Labels }; spec?: Partial<PodSpec> };
  if (Array.isArray(spec?.containers)) yield { owner, labels: metadata?.labels ?? {}, spec: spec as PodSpec };
  for (const child of Object.values(node)) yield* podsIn(child, owner);
}

/** Whether a selector of labels, of a Service or a set, chooses a pod. Expressions choose none: nothing here uses them. */
export const selects = (wanted: Labels | undefined, { labels }: Pod): boolean =>
  wanted !== undefined &&
  Object.keys(wanted).length > 0 &&
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

/** The one fault of a rule that may not hold. */
export const unless = (holds: boolean, message: string): readonly string[] => (holds ? [] : [message]);
