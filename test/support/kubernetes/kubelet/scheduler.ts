// Which node gets a pod: of those that fit, the one with the fewest. Says what the real scheduler says. Pure.

import type { Node } from "./nodes.ts";
import type { ContainerSpec, Pod, Toleration } from "./objects.ts";
import { type Amounts, amountOf } from "./quantity.ts";

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

export type Placement =
  | { readonly kind: "bind"; readonly node: string }
  | { readonly kind: "wait"; readonly message: string };

export interface Cluster {
  readonly nodes: readonly Node[];
  readonly taints: ReadonlyMap<string, readonly Taint[]>;
  /** Cordoned, as by a drain. */
  readonly cordoned: ReadonlySet<string>;
  readonly pods: readonly Pod[];
}

/** Why a node does not get the pod, and whether it could if other pods were not there. */
interface Refusal {
  readonly reasons: readonly string[];
  readonly isForNow: boolean;
}

export function decidePlacement(pod: Pod, { nodes, taints, cordoned, pods }: Cluster): Placement {
  const on = (name: string) => pods.filter((other) => other.spec.nodeName === name && !isOver(other));
  const refusals = nodes.map((node) => {
    const fixed = cordoned.has(node.name) ? "node(s) were unschedulable" : whyNeverOn(node, pod, taints);
    return fixed === null ? whatLacks(node, pod, on(node.name)) : { reasons: [fixed], isForNow: false };
  });
  const fitting = nodes.filter((_, index) => refusals[index] === null);
  const [best] = fitting.sort((a, b) => on(a.name).length - on(b.name).length);
  if (best) return { kind: "bind", node: best.name };
  const victims = refusals.map((refusal) =>
    refusal!.isForNow ? "No preemption victims found for incoming pod" : "Preemption is not helpful for scheduling",
  );
  const none = `0/${nodes.length} nodes are available: `;
  const message = `${none}${counted(refusals.flatMap((refusal) => refusal!.reasons))}. no new claims to deallocate, preemption: ${none}${counted(victims)}.`;
  return { kind: "wait", message };
}

function counted(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const said = [...counts].map(([reason, count]) => `${count} ${reason}`);
  return said.sort().join(", ");
}

function whyNeverOn(node: Node, { spec }: Pod, taints: Cluster["taints"]): string | null {
  const taint = (taints.get(node.name) ?? []).find(
    (each) => each.effect !== "PreferNoSchedule" && !(spec.tolerations ?? []).some((one) => bears(one, each)),
  );
  if (taint) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`;
  const isAnother = Object.entries(spec.nodeSelector ?? {}).some(([key, value]) => node.labels[key] !== value);
  return isAnother ? "node(s) didn't match Pod's node affinity/selector" : null;
}

function whatLacks(node: Node, pod: Pod, there: readonly Pod[]): Refusal | null {
  const wanted = { pods: 1, ...requestsOf(pod) };
  const lacking = Object.entries(wanted).filter(([name, amount]) => {
    const used = there.reduce((sum, other) => sum + (name === "pods" ? 1 : (requestsOf(other)[name] ?? 0)), 0);
    return used + amount > allocatable(node, name);
  });
  if (lacking.length === 0) return null;
  return {
    reasons: lacking.map(([name]) => (name === "pods" ? "Too many pods" : `Insufficient ${name}`)),
    isForNow: lacking.every(([name, amount]) => amount <= allocatable(node, name)),
  };
}

const allocatable = (node: Node, name: string): number => amountOf(node.resources[name] ?? 0);

export const isOver = ({ status }: Pod): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

const bears = ({ key, operator = "Equal", value, effect }: Toleration, taint: Taint): boolean =>
  (effect === undefined || effect === taint.effect) &&
  (key === undefined ? operator === "Exists" : key === taint.key && (operator === "Exists" || value === taint.value));

/** Of all containers together, or of the one before them that wants the most. */
function requestsOf({ spec }: Pod): Readonly<Record<string, number>> {
  const wanted: Record<string, number> = {};
  for (const requests of spec.containers.map(requested))
    for (const [name, amount] of Object.entries(requests)) wanted[name] = (wanted[name] ?? 0) + amountOf(amount);
  for (const requests of (spec.initContainers ?? []).map(requested))
    for (const [name, amount] of Object.entries(requests)) wanted[name] = Math.max(wanted[name] ?? 0, amountOf(amount));
  return wanted;
}

const requested = ({ resources }: ContainerSpec): Amounts => resources?.requests ?? {};
