// What NetworkPolicies let through, by the words of their API: a pod that no policy selects may all, one that some select may what
// one of these allows; a flow needs both its ends. Pure; what nodes do to their own pods, such as probes, no policy decides.

import { BlockList, isIPv6 } from "node:net";

type Labels = Readonly<Record<string, string>>;

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values?: readonly string[];
  }[];
}

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface Port {
  readonly port?: number;
  readonly endPort?: number;
  readonly protocol?: Protocol;
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly Port[];
}

export interface NetworkPolicy {
  readonly kind: "NetworkPolicy";
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly podSelector: Selector;
    readonly policyTypes: readonly ("Ingress" | "Egress")[];
    readonly ingress?: readonly Rule[];
    readonly egress?: readonly Rule[];
  };
}

type Protocol = "TCP" | "UDP" | "SCTP";

export interface Pod {
  readonly namespace: string;
  readonly labels: Labels;
  readonly ip: string;
}

/** Whoever is no pod has an address alone. */
type End = Pod | { readonly ip: string };

export interface Flow {
  readonly from: End;
  readonly to: End;
  readonly port: number;
  readonly protocol?: Protocol;
}

/** @param policies by the namespace that they are in. */
export function allows(policies: Readonly<Record<string, readonly NetworkPolicy[]>>, flow: Flow): boolean {
  return passes(policies, flow, flow.from, flow.to, "Egress") && passes(policies, flow, flow.to, flow.from, "Ingress");
}

function passes(
  policies: Readonly<Record<string, readonly NetworkPolicy[]>>,
  { port, protocol = "TCP" }: Flow,
  own: End,
  other: End,
  type: "Ingress" | "Egress",
): boolean {
  if (!isPod(own)) return true;
  const selecting = (policies[own.namespace] ?? []).filter(
    ({ spec }) => spec.policyTypes.includes(type) && matches(spec.podSelector, own.labels),
  );
  if (selecting.length === 0) return true;
  const rules = selecting.flatMap(({ spec }) => (type === "Ingress" ? spec.ingress : spec.egress) ?? []);
  // No list is everybody, and every port.
  return rules.some(({ from, to, ports = [] }) => {
    const peers = (type === "Ingress" ? from : to) ?? [];
    const isOpen = ports.length === 0 || ports.some((each) => isPort(each, port, protocol));
    return isOpen && (peers.length === 0 || peers.some((peer) => isPeer(peer, other, own.namespace)));
  });
}

const isPod = (end: End): end is Pod => "labels" in end;

function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer, end: End, ownNamespace: string): boolean {
  if (ipBlock) return isIn(ipBlock.cidr, end.ip) && !(ipBlock.except ?? []).some((each) => isIn(each, end.ip));
  if (!isPod(end)) return false;
  const isThere = namespaceSelector
    ? matches(namespaceSelector, { "kubernetes.io/metadata.name": end.namespace })
    : end.namespace === ownNamespace;
  return isThere && (!podSelector || matches(podSelector, end.labels));
}

function isPort({ port: first, endPort: last = first, protocol: asked = "TCP" }: Port, port: number, is: Protocol) {
  return asked === is && (first === undefined || (port >= first && port <= last!));
}

function matches({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === "In") return value !== undefined && values.includes(value);
      if (operator === "NotIn") return value === undefined || !values.includes(value);
      return (operator === "Exists") === (value !== undefined);
    })
  );
}

const lists = new Map<string, BlockList>();

function isIn(cidr: string, ip: string): boolean {
  const [network, bits] = cidr.split("/") as [string, string];
  const family = isIPv6(network) ? "ipv6" : "ipv4";
  const list = lists.get(cidr) ?? new BlockList();
  if (!lists.has(cidr)) list.addSubnet(network, Number(bits), family);
  lists.set(cidr, list);
  return isIPv6(ip) === (family === "ipv6") && list.check(ip, family);
}
