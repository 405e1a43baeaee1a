// Which pods nobody will ever finish: a StatefulSet does not replace a pod that is stuck in Terminating on a dead node. Pure.
//
// I1. Taking such a pod away is safe even if it still runs behind a broken network: a coordinator of an older incarnation and
//     its workers are refused (fencing), and no volume is shared.

import type { Node, Pod } from "./objects.ts";

/** As far as it may be asked: an operator of one namespace may not read nodes. */
export type NodeState =
  | { readonly kind: "ready" | "absent" | "unknown" }
  | { readonly kind: "not-ready"; readonly sinceMs: number };

export interface RescueOptions {
  /** A pod that should have been gone for so long is stuck. */
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
  // The time by which it should have been gone: its grace period is in it.
  const dueMs = Date.parse(deletionTimestamp) + options.stuckMs;
  if (nowMs < dueMs) return { kind: "wait", againMs: dueMs - nowMs };
  if (nodeState.kind === "absent") return { kind: "rescue", reason: `its node ${node} is gone` };
  if (nodeState.kind === "not-ready") {
    const deadMs = nodeState.sinceMs + options.nodeGraceMs;
    if (nowMs < deadMs) return { kind: "wait", againMs: deadMs - nowMs };
    return { kind: "rescue", reason: `its node ${node} has not been ready for ${seconds(nowMs - nodeState.sinceMs)}` };
  }
  if (nodeState.kind === "unknown" && wasEvicted(pod))
    return { kind: "rescue", reason: `its node ${node} was given up by the cluster` };
  return { kind: "leave" };
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
