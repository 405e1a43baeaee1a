// Which node gets a pod: of those that fit, the one with the fewest. Pure.

import type { Node } from "./nodes.ts";
import type { Pod, Toleration } from "./objects.ts";

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

export function decidePlacement(pod: Pod, { nodes, taints, cordoned, pods }: Cluster): Placement {
  const on = (name: string) => pods.filter(({ spec }) => spec.nodeName === name);
  const whyNot = (node: Node): string | null => {
    if (cordoned.has(node.name)) return "node(s) were unschedulable";
    const taint = (taints.get(node.name) ?? []).find(
      (each) => each.effect !== "PreferNoSchedule" && !(pod.spec.tolerations ?? []).some((one) => bears(one, each)),
    );
    if (taint) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`;
    const labels: Readonly<Record<string, string>> = { "kubernetes.io/hostname": node.name, ...node.labels };
    const wished = Object.entries(pod.spec.nodeSelector ?? {});
    if (wished.some(([key, value]) => labels[key] !== value))
      return "node(s) didn't match Pod's node affinity/selector";
    for (const [name, count] of Object.entries(devicesOf(pod))) {
      const used = on(node.name).reduce((sum, other) => sum + (devicesOf(other)[name] ?? 0), 0);
      if (used + count > (node.resources?.[name] ?? 0)) return `Insufficient ${name}`;
    }
    return null;
  };
  const reasons = nodes.map((node) => ({ node, reason: whyNot(node) }));
  const fitting = reasons.filter(({ reason }) => reason === null).map(({ node }) => node);
  const [best] = fitting.sort((a, b) => on(a.name).length - on(b.name).length);
  if (best) return { kind: "bind", node: best.name };
  const counts = new Map<string, number>();
  for (const { reason } of reasons) counts.set(reason!, (counts.get(reason!) ?? 0) + 1);
  const said = [...counts].map(([reason, count]) => `${count} ${reason}`).join(", ");
  return { kind: "wait", message: `0/${nodes.length} nodes are available: ${said}.` };
}

const bears = ({ key, operator = "Equal", value, effect }: Toleration, taint: Taint): boolean =>
  (effect === undefined || effect === taint.effect) &&
  (key === undefined ? operator === "Exists" : key === taint.key && (operator === "Exists" || value === taint.value));

/** Extended resources, which are counted; cpu and memory of the test's machine are not. */
function devicesOf({ spec }: Pod): Record<string, number> {
  const wanted: Record<string, number> = {};
  for (const { resources } of spec.containers)
    for (const [name, count] of Object.entries(resources?.requests ?? {}))
      if (name.includes("/")) wanted[name] = (wanted[name] ?? 0) + Number(count);
  return wanted;
}
