// Which pods nobody will ever finish: a StatefulSet does not replace a pod that is stuck in Terminating on a dead node. Pure.
//
// I1. Taking such a pod away is safe even if it still runs behind a broken network: a coordinator of an older incarnation and
//     its workers are refused (fencing), and no volume is shared.
// I2. A grace period is for processes that hear of it: those of a dead node are not waited for.

import type { Node, Pod } from "./objects.ts";

/** As far as it may be asked: an operator of one namespace may not read nodes. */
export type NodeState =
  | { readonly kind: "ready" | "absent" | "unknown" }
  /** Nobody had a reason to ask yet. */
  | { readonly kind: "unasked" }
  | { readonly kind: "not-ready"; readonly sinceMs: number };

export interface RescueOptions {
  /** So long after it was asked to go, or should have been gone, a pod is stuck. */
  readonly stuckMs: number;
  /** A node that has not been ready for so long is dead. */
  readonly nodeGraceMs: number;
}

export type RescueDecision =
  | { readonly kind: "rescue"; readonly reason: string }
  | { readonly kind: "wait"; readonly againMs: number }
  | { readonly kind: "leave" };

/** @param nodeState of the pod's node. */
export function decideRescue(nowMs: number, pod: Pod, nodeState: NodeState, options: RescueOptions): RescueDecision {
  const { deletionTimestamp } = pod.metadata;
  const node = pod.spec.nodeName;
  if (!deletionTimestamp || !node) return { kind: "leave" };
  const suspectMs = suspectAt(pod, options);
  const at = (dueMs: number, reason: string): RescueDecision =>
    nowMs < dueMs ? { kind: "wait", againMs: dueMs - nowMs } : { kind: "rescue", reason };
  switch (nodeState.kind) {
    case "absent":
      return at(suspectMs, `its node ${node} is gone`);
    case "not-ready": {
      const dueMs = Math.max(suspectMs, nodeState.sinceMs + options.nodeGraceMs);
      return at(dueMs, `its node ${node} has not been ready for ${seconds(nowMs - nodeState.sinceMs)}`);
    }
    case "unknown":
      // A taint of an administrator evicts from nodes that are well, too: those take their time.
      return wasEvicted(pod)
        ? at(Date.parse(deletionTimestamp) + options.stuckMs, `its node ${node} was given up by the cluster`)
        : { kind: "leave" };
    case "unasked":
      return { kind: "wait", againMs: Math.max(0, suspectMs - nowMs) };
    case "ready":
      return { kind: "leave" };
  }
}

/** When somebody should look at its node: it was asked to go, and is not gone. Infinity where it was not asked. */
export function suspectAt({ metadata }: Pod, { stuckMs }: Pick<RescueOptions, "stuckMs">): number {
  if (!metadata.deletionTimestamp) return Number.POSITIVE_INFINITY;
  return Date.parse(metadata.deletionTimestamp) - 1000 * (metadata.deletionGracePeriodSeconds ?? 0) + stuckMs;
}

/** By the controller that evicts the pods of nodes which are not reached. */
const wasEvicted = ({ status }: Pod): boolean =>
  (status?.conditions ?? []).some(
    ({ type, status, reason }) =>
      type === "DisruptionTarget" && status === "True" && reason === "DeletionByTaintManager",
  );

export function nodeStateOf(node: Node): NodeState {
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status === "True") return { kind: "ready" };
  return { kind: "not-ready", sinceMs: Date.parse(ready?.lastTransitionTime ?? node.metadata.creationTimestamp ?? "") };
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
