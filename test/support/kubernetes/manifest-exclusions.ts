// Who may break a rule of manifest-rules.ts, and why.

import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { type Fault, faultsOf, type RuleName } from "./manifest-rules.ts";

export interface Exclusion {
  readonly rule: RuleName;
  /** Kind/name */
  readonly at: readonly string[];
  /** What its message has to hold, where the rule may be broken in this way alone. */
  readonly saying?: string;
  readonly reason: string;
}

const OPERATOR = "Deployment/plume-operator";
const COORDINATOR = "StatefulSet/plume-coordinator";
const WORKER = "StatefulSet/plume-worker";
/** The same pods, made by others. */
const EXAMPLES = ["JobSet/plume", "Job/plume-worker", "ClusterTrainingRuntime/plume"];

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    rule: "memory-limit",
    at: [COORDINATOR, WORKER, ...EXAMPLES],
    reason:
      "what a job takes depends on its model, and a killed process is worse than a full node's eviction, which the budget paces: the job file sets kubernetes.*.resources.limits where a cluster wants them",
  },
  {
    rule: "priority",
    at: [COORDINATOR, WORKER, OPERATOR, "StatefulSet/plume-nats", ...EXAMPLES],
    reason:
      "a PriorityClass is the cluster's own, and a name that it does not have stops every pod: the job file sets kubernetes.*.priorityClassName",
  },
  {
    rule: "disruption",
    at: [COORDINATOR],
    reason: "it is one pod: a budget would stop every drain of its node for ever, and its end costs seconds",
  },
  {
    rule: "spread",
    at: [WORKER],
    reason:
      "they are better near their coordinator than far from one another: a node that dies takes work, and no result",
  },
  {
    rule: "network",
    at: [COORDINATOR, WORKER, OPERATOR, ...EXAMPLES],
    reason:
      "policies need a network that enforces them, and the names of the cluster's namespaces: a component adds them",
  },
  {
    rule: "references",
    at: [COORDINATOR],
    saying: "Secret plume-nats",
    reason: "the component nats-existing points at somebody's server: its address and users are the cluster's own",
  },
  {
    rule: "references",
    at: [OPERATOR],
    saying: "Secret plume-operator-tls",
    reason: "the authority is that of the jobs, so the operator's certificate is the cluster's own to bring",
  },
  {
    rule: "references",
    at: ["ClusterTrainingRuntime/plume"],
    saying: "ConfigMap plume-job",
    reason: "a runtime is for every TrainJob, and each brings the ConfigMap of its own job file in its place",
  },
];

/** @returns what is left, and the exclusions that were needed. */
export function judge(objects: readonly KubernetesObject[]): {
  readonly faults: readonly Fault[];
  readonly used: readonly string[];
} {
  const all = faultsOf(objects);
  const exclusionOf = ({ rule, at, message }: Fault) =>
    EXCLUSIONS.find((each) => each.rule === rule && each.at.includes(at) && message.includes(each.saying ?? ""));
  return {
    faults: all.filter((fault) => !exclusionOf(fault)),
    used: all.filter(exclusionOf).map(({ rule, at }) => `${rule} ${at}`),
  };
}

/** "spread StatefulSet/plume-worker" */
export const exclusionNames = (): string[] => EXCLUSIONS.flatMap(({ rule, at }) => at.map((each) => `${rule} ${each}`));
