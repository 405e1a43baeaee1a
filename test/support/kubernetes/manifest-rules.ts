// What plume asks of every manifest beyond what an API server does: the rules of polaris and kube-score that matter here, and
// some of our own. A rule sees everything that is applied together; who may break one, and why, is in manifest-exclusions.ts.

import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { RULES_OF_CONTAINERS, RULES_OF_PODS } from "./manifest-rules-of-pods.ts";
import { containersOf, type Manifests, podsOf, selects, unless } from "./manifests.ts";

export interface Fault {
  readonly rule: RuleName;
  readonly at: string;
  readonly message: string;
}

/** What is wrong with an object, or with a pod of it; empty where the rule holds. */
type ObjectRule = (object: KubernetesObject, all: Manifests) => readonly string[];

const labelsOf = ({ metadata }: KubernetesObject) => metadata.labels ?? {};

interface Selecting {
  readonly replicas?: number;
  readonly serviceName?: string;
  readonly clusterIP?: string;
  readonly selector?: Readonly<Record<string, string>> & { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly ports?: readonly { readonly targetPort?: string | number }[];
  readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

const specOf = (object: KubernetesObject) => (object.spec ?? {}) as Selecting;

interface RightsRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
}

const TOO_MUCH = {
  resources: ["*", "secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "nodes/proxy"],
  verbs: ["*", "escalate", "bind", "impersonate", "deletecollection"],
  apiGroups: ["*"],
};

const RULES_OF_OBJECTS = {
  /** By which a person, a Service and a dashboard tell whose it is. */
  labels: (object) =>
    ["name", ...(labelsOf(object)["app.kubernetes.io/name"] === "plume" ? ["instance", "component"] : [])]
      .map((label) => `app.kubernetes.io/${label}`)
      .flatMap((label) => unless(label in labelsOf(object), `has no label ${label}`)),

  /** A set that selects another one's pods takes them over. */
  selector: (object, { pods }) => {
    const labels = specOf(object).selector?.matchLabels;
    const own = podsOf(object);
    if (own.length === 0 || !labels) return [];
    return pods.flatMap((pod) => {
      const chosen = selects(labels, pod);
      const name = `${pod.owner.kind}/${pod.owner.metadata.name}`;
      if (pod.owner === object) return unless(chosen, "does not select its own pods");
      return unless(!chosen || pod.owner.kind === "Pod", `selects the pods of ${name}`);
    });
  },

  /** A Service leads somewhere, and to a port that is there. */
  service: (object, { pods }) => {
    if (object.kind !== "Service") return [];
    const { selector, ports = [] } = specOf(object);
    const chosen = pods.filter((pod) => selects(selector, pod));
    const open = chosen.flatMap(({ spec }) => spec.containers.flatMap((each) => each.ports ?? []));
    const isOpen = (port: string | number | undefined) =>
      open.some(({ name, containerPort }) => port === name || port === containerPort);
    return [
      ...unless(chosen.length > 0, "selects no pod"),
      ...ports.flatMap(({ targetPort }) => unless(isOpen(targetPort), `leads to port ${targetPort}, which none has`)),
    ];
  },

  /** The name of a pod of a set is the Service's: headless, or there is none. */
  "headless-service": (object, { objects }) => {
    if (object.kind !== "StatefulSet") return [];
    const { serviceName } = specOf(object);
    const service = objects.find(({ kind, metadata }) => kind === "Service" && metadata.name === serviceName);
    return unless(
      service !== undefined && specOf(service).clusterIP === "None",
      `${serviceName} is no headless Service`,
    );
  },

  /** A drain takes some of them at a time, and is never stopped by it for good. */
  budget: (object) => {
    if (object.kind !== "PodDisruptionBudget") return [];
    const { maxUnavailable, unhealthyPodEvictionPolicy } = object.spec as Readonly<Record<string, string | number>>;
    const lets = maxUnavailable !== undefined && !/^0%?$/.test(String(maxUnavailable));
    return [
      ...unless(lets, "lets no pod go: give maxUnavailable, not minAvailable"),
      ...unless(unhealthyPodEvictionPolicy === "AlwaysAllow", "keeps pods that are not healthy"),
    ];
  },

  /** What is here is in a repository. */
  secrets: ({ kind }) => unless(kind !== "Secret", "is a secret that everybody can read"),

  rights: ({ rules }) =>
    ((rules as readonly RightsRule[] | undefined) ?? []).flatMap((rule) =>
      (["resources", "verbs", "apiGroups"] as const).flatMap((part) =>
        (rule[part] ?? [])
          .filter((each) => TOO_MUCH[part].includes(each))
          .map((each) => `gives ${part} ${each}: name what is needed`),
      ),
    ),

  namespace: (object) =>
    unless(
      object.kind !== "Namespace" || labelsOf(object)["pod-security.kubernetes.io/enforce"] === "restricted",
      "admits pods that restricted pod security does not",
    ),
} satisfies Record<string, ObjectRule>;

export type RuleName = keyof typeof RULES_OF_OBJECTS | keyof typeof RULES_OF_PODS | keyof typeof RULES_OF_CONTAINERS;

export const RULE_NAMES = [
  ...Object.keys(RULES_OF_OBJECTS),
  ...Object.keys(RULES_OF_PODS),
  ...Object.keys(RULES_OF_CONTAINERS),
] as readonly RuleName[];

/** @param objects everything that is applied together, and nothing that is applied beside. */
export function faultsOf(objects: readonly KubernetesObject[]): Fault[] {
  const all: Manifests = { objects, pods: objects.flatMap(podsOf) };
  const at = ({ kind, metadata }: KubernetesObject) => `${kind}/${metadata.name}`;
  const ofObjects = objects.flatMap((object) =>
    named(RULES_OF_OBJECTS).flatMap(([rule, faults]) =>
      faults(object, all).map((message) => ({ rule, at: at(object), message })),
    ),
  );
  const ofPods = all.pods.flatMap((pod) => [
    ...named(RULES_OF_PODS).flatMap(([rule, faults]) =>
      faults(pod, all).map((message) => ({ rule, at: at(pod.owner), message })),
    ),
    ...containersOf(pod).flatMap((container) =>
      named(RULES_OF_CONTAINERS).flatMap(([rule, faults]) =>
        faults(container, pod).map((message) => ({
          rule,
          at: at(pod.owner),
          message: `container ${container.name} ${message}`,
        })),
      ),
    ),
  ]);
  return [...ofObjects, ...ofPods];
}

const named = <Name extends string, R>(rules: Readonly<Record<Name, R>>) => Object.entries(rules) as [Name, R][];
