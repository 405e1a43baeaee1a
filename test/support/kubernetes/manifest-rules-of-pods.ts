// The rules of manifest-rules.ts that look at one pod, or at one container of it.

import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { type Container, containersOf, isForEver, type Manifests, type Pod, selects, unless } from "./manifests.ts";

type PodRule = (pod: Pod, all: Manifests) => readonly string[];
type ContainerRule = (container: Container, pod: Pod) => readonly string[];

/** What a template, a Pod or a JobSet says of how many there are. */
const replicasOf = ({ spec }: KubernetesObject): number => (spec as { replicas?: number } | undefined)?.replicas ?? 1;

interface Binding {
  readonly subjects?: readonly { readonly kind: string; readonly name: string }[];
}

const hasRights = (account: string | undefined, { objects }: Manifests): boolean =>
  objects.some((object) =>
    ((object as unknown as Binding).subjects ?? []).some(
      ({ kind, name }) => kind === "ServiceAccount" && name === account,
    ),
  );

/** What a pod waits for until somebody makes it: kind and name. */
function needsOf(pod: Pod): { readonly kind: string; readonly name: string }[] {
  const volumes = pod.spec.volumes ?? [];
  const from = containersOf(pod).flatMap(({ envFrom = [] }) => envFrom);
  const values = containersOf(pod).flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom ?? []));
  const maps = [
    ...volumes.map(({ configMap }) => configMap),
    ...from.map(({ configMapRef }) => configMapRef),
    ...values.map(({ configMapKeyRef }) => configMapKeyRef),
  ];
  const secrets = [
    ...volumes.map(({ secret }) => secret && { ...secret, name: secret.secretName }),
    ...from.map(({ secretRef }) => secretRef),
    ...values.map(({ secretKeyRef }) => secretKeyRef),
  ];
  const needed = (kind: string, references: typeof maps | typeof secrets) =>
    references.flatMap((each) => (each?.name && !each.optional ? [{ kind, name: each.name }] : []));
  return [...needed("ConfigMap", maps), ...needed("Secret", secrets)];
}

/** It is the object, or a Certificate that cert-manager makes the Secret of. */
const brings = (object: KubernetesObject, kind: string, name: string): boolean =>
  (object.kind === kind && object.metadata.name === name) ||
  (object.kind === "Certificate" && kind === "Secret" && (object.spec as { secretName: string }).secretName === name);

const isDisrupted = ({ spec }: KubernetesObject, pod: Pod): boolean =>
  selects((spec as { selector?: { matchLabels?: Record<string, string> } }).selector?.matchLabels, pod);

export const RULES_OF_PODS = {
  "non-root": ({ spec: { securityContext: { runAsNonRoot, runAsUser = 0 } = {} } }) => [
    ...unless(runAsNonRoot === true, "may run as root"),
    // Below are the users of hosts: whoever gets out of a container would be one of them.
    ...unless(runAsUser >= 10_000, `runs as user ${runAsUser}, which a host may have; take one of 10000 or more`),
  ],

  seccomp: ({ spec }) =>
    unless(spec.securityContext?.seccompProfile?.type === "RuntimeDefault", "may make any system call"),

  host: (pod) => [
    ...(["hostNetwork", "hostPID", "hostIPC"] as const).flatMap((part) => unless(!pod.spec[part], `takes ${part}`)),
    ...(pod.spec.volumes ?? []).flatMap(({ name, hostPath }) => unless(!hostPath, `mounts the host's ${name}`)),
    ...containersOf(pod).flatMap(({ ports = [] }) =>
      ports.flatMap(({ hostPort }) => unless(!hostPort, `takes the host's port ${hostPort}`)),
    ),
  ],

  /** One of its own, so that rights can be given to it and to nobody else. */
  "service-account": ({ spec: { serviceAccountName = "default" } }, { objects }) =>
    unless(
      objects.some(({ kind, metadata }) => kind === "ServiceAccount" && metadata.name === serviceAccountName),
      `runs as ${serviceAccountName}, a service account that is not here`,
    ),

  /** A token is where it is of use, and nowhere else. */
  token: ({ spec: { serviceAccountName, automountServiceAccountToken } }, all) => {
    const rights = hasRights(serviceAccountName, all);
    if (automountServiceAccountToken === undefined) return ["does not say whether it mounts a token"];
    return unless(
      automountServiceAccountToken === rights,
      rights ? "has rights and no token" : "mounts a token that gives no right",
    );
  },

  /** A Service called plume would set PLUME_PORT, and plume reads variables of such names. */
  "service-links": ({ spec }) => unless(spec.enableServiceLinks === false, "gets variables of every Service's name"),

  grace: ({ spec }) =>
    unless(spec.terminationGracePeriodSeconds !== undefined, "does not say how long it may take to end"),

  priority: ({ spec }) => unless(spec.priorityClassName !== undefined, "has no priorityClassName"),

  spread: ({ owner, spec }) =>
    unless(
      replicasOf(owner) < 2 || spec.topologySpreadConstraints !== undefined || !!spec.affinity?.podAntiAffinity,
      `may have all its ${replicasOf(owner)} pods on one node`,
    ),

  disruption: (pod, { objects }) =>
    unless(
      !isForEver(pod) || objects.some((each) => each.kind === "PodDisruptionBudget" && isDisrupted(each, pod)),
      "has no PodDisruptionBudget: a drain takes all its pods at once",
    ),

  network: (pod, { objects }) =>
    unless(
      objects.some(
        ({ kind, spec }) =>
          kind === "NetworkPolicy" &&
          selects((spec as { podSelector: { matchLabels?: Record<string, string> } }).podSelector.matchLabels, pod),
      ),
      "talks with everybody: no NetworkPolicy selects it",
    ),

  /** What is not here and has to be: the pod would wait for it. */
  references: (pod, { objects }) =>
    needsOf(pod).flatMap(({ kind, name }) =>
      unless(
        objects.some((object) => brings(object, kind, name)),
        `needs ${kind} ${name}, which is not here; make it optional, or bring it`,
      ),
    ),

  /** Memory that nobody counts is the node's. */
  "memory-volume": ({ spec: { volumes = [] } }) =>
    volumes.flatMap(({ name, emptyDir }) =>
      unless(emptyDir?.medium !== "Memory" || !!emptyDir.sizeLimit, `keeps ${name} in memory without a sizeLimit`),
    ),
} satisfies Record<string, PodRule>;

const has = (resources: object | undefined, name: string): boolean => resources !== undefined && name in resources;

export const RULES_OF_CONTAINERS = {
  image: ({ image = "" }) =>
    unless(
      /@sha256:[0-9a-f]{64}$|:(?!latest$)[\w.-]+$/.test(image),
      `has image ${image}: which one that is changes; give a version or a digest`,
    ),

  /** Always would need the registry for every restart; absent, it depends on the tag. */
  "pull-policy": ({ imagePullPolicy }) =>
    unless(imagePullPolicy === "IfNotPresent", `has imagePullPolicy ${imagePullPolicy}; IfNotPresent is enough`),

  requests: ({ resources }) =>
    ["cpu", "memory"].flatMap((name) => unless(has(resources?.requests, name), `requests no ${name}`)),

  "memory-limit": ({ resources }) => unless(has(resources?.limits, "memory"), "may take a node's memory"),

  /** It would be throttled with idle cores beside it, and throttled heartbeats look like a dead worker. */
  "no-cpu-limit": ({ resources }) => unless(!has(resources?.limits, "cpu"), "has a cpu limit"),

  probes: ({ readinessProbe, livenessProbe }, pod) => {
    if (!isForEver(pod)) return [];
    const [ready, alive] = [readinessProbe, livenessProbe].map((probe) => JSON.stringify(probe?.httpGet ?? probe));
    return [
      ...unless(readinessProbe !== undefined, "has no readinessProbe"),
      ...unless(livenessProbe !== undefined, "has no livenessProbe"),
      ...unless(ready !== alive || !ready, "is killed when it is not ready: give livenessProbe another path"),
    ];
  },

  /** A number in two places is right in one. */
  "probe-ports": ({ startupProbe, readinessProbe, livenessProbe, ports = [] }) =>
    [startupProbe, readinessProbe, livenessProbe].flatMap((probe) => {
      const port = probe?.httpGet?.port;
      return unless(
        port === undefined || ports.some(({ name }) => name === port),
        `is probed at ${port}, which is no port's name`,
      );
    }),

  "privilege-escalation": ({ securityContext }) =>
    unless(
      securityContext?.allowPrivilegeEscalation === false && !securityContext.privileged,
      "may get more rights than it starts with",
    ),

  capabilities: ({ securityContext: { capabilities: { add = [], drop = [] } = {} } = {} }) =>
    unless(drop.includes("ALL") && add.length === 0, "has capabilities of root"),

  "read-only-root": ({ securityContext }) =>
    unless(securityContext?.readOnlyRootFilesystem === true, "may write to its image's files"),

  "secret-value": ({ env = [] }) =>
    env.flatMap(({ name, value }) =>
      unless(
        value === undefined || !/TOKEN|SECRET|PASSWORD|ACCESS_KEY|CREDENTIAL/.test(name),
        `has ${name} written down; take it from a Secret`,
      ),
    ),
} satisfies Record<string, ContainerRule>;
