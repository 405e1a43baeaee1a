// Who may break a rule of manifest-rules.ts, and why.

import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { type Fault, faultsOf, type RuleName } from "./manifest-rules.ts";

export interface Exclusion {
  readonly rule: RuleName;
  /** Kind/name */
  readonly at: readonly string[];
  readonly reason: string;
}

const OPERATOR = "Deployment/plume-operator";
const COORDINATOR = "StatefulSet/plume-coordinator";
const WORKER = "StatefulSet/plume-worker";

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    rule: "memory-limit",
    at: [COORDINATOR, WORKER],
    reason:
      "what a job takes depends on its model, and a killed process is worse than a full node's eviction, which the budget paces: the job file sets kubernetes.*.resources.limits where a cluster wants them",
  },
  {
    rule: "priority",
    at: [COORDINATOR, WORKER, OPERATOR],
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
    at: [COORDINATOR, WORKER, OPERATOR],
    reason:
      "policies need a network that enforces them, and the names of the cluster's namespaces: a component adds them",
  },
];

/** @returns what is left, and the exclusions that were needed. */
export function judge(objects: readonly KubernetesObject[]): {
  readonly faults: readonly Fault[];
  readonly used: readonly string[];
} {
  const all = faultsOf(objects);
  const nameOf = ({ rule, at }: Fault) => `${rule} ${at}`;
  const excluded = exclusionNames();
  return {
    faults: all.filter((fault) => !excluded.includes(nameOf(fault))),
    used: all.map(nameOf).filter((name) => excluded.includes(name)),
  };
}

/** "spread StatefulSet/plume-worker" */
export const exclusionNames = (): string[] => EXCLUSIONS.flatMap(({ rule, at }) => at.map((each) => `${rule} ${each}`));
