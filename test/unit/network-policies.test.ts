// Whom the policies of k8s/components let talk to whom: every flow that plume needs, and no other.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { ROOT } from "../../shared/root.ts";
import { allows, type NetworkPolicy, type Pod } from "../support/kubernetes/network.ts";

const COMPONENTS = join(ROOT, "k8s/components");

/** All that a component's kustomization lists. */
const policiesOf = (component: string): NetworkPolicy[] => {
  const read = (file: string) => readFileSync(join(COMPONENTS, component, file), "utf8");
  const { resources } = parse(read("kustomization.yaml")) as { readonly resources: readonly string[] };
  return resources
    .flatMap((file) => parseAllDocuments(read(file)).map((each) => each.toJS() as NetworkPolicy))
    .filter(({ kind }) => kind === "NetworkPolicy");
};

const HERE = "training";
const PLUME = [...policiesOf("network-policies"), ...policiesOf("nats")];
/** In a namespace for jobs, in one with another's, and in the operator's own. */
const everywhere = (policies: readonly NetworkPolicy[]) => ({
  [HERE]: policies,
  elsewhere: policies,
  "plume-system": policies,
});

let addresses = 0;
const pod = (namespace: string, name: string, component?: string, more: Record<string, string> = {}): Pod => ({
  namespace,
  ip: `10.1.0.${++addresses}`,
  labels: {
    "app.kubernetes.io/name": name,
    ...(component ? { "app.kubernetes.io/instance": "plume", "app.kubernetes.io/component": component } : {}),
    ...more,
  },
});

const ENDS = {
  coordinator: pod(HERE, "plume", "coordinator"),
  worker: pod(HERE, "plume", "worker"),
  "another worker": pod(HERE, "plume", "worker"),
  operator: pod(HERE, "plume-operator"),
  nats: pod(HERE, "nats", "nats"),
  "client of nats": pod(HERE, "nats-box", undefined, { "plume.dev/nats-client": "true" }),
  stranger: pod(HERE, "web"),
  "coordinator elsewhere": pod("elsewhere", "plume", "coordinator"),
  "worker elsewhere": pod("elsewhere", "plume", "worker"),
  "stranger elsewhere": pod("default", "web"),
  "operator for all": pod("plume-system", "plume-operator"),
  "someone's plume-operator": pod("default", "plume-operator"),
  prometheus: pod("monitoring", "prometheus"),
  collector: pod("observability", "otel-collector"),
  dns: pod("kube-system", "coredns"),
  store: pod("plume-store", "versitygw"),
  aws: { ip: "52.219.1.1" },
  "aws by IPv6": { ip: "2a05:d050::1" },
  "the API server": { ip: "192.0.2.10" },
  "the node's credentials": { ip: "169.254.169.254" },
  "the node's names": { ip: "169.254.20.10" },
} as const;

type Name = keyof typeof ENDS;
const PORTS = [53, 80, 443, 4222, 4318, 6443, 7070, 7071, 7072, 7073, 8222, 22, 40_000, 61_000];

const PLUMES = ["coordinator", "worker", "another worker", "coordinator elsewhere", "worker elsewhere"] as const;
const OPERATORS = ["operator", "operator for all"] as const;
const OUTSIDE = ["aws", "aws by IPv6", "the API server"] as const;

/** From, to, ports: all of them, and nothing else. */
const NEEDED: readonly (readonly [readonly Name[], readonly Name[], readonly number[]])[] = [
  [["worker", "another worker"], ["coordinator"], [7070, 40_000]],
  [["worker elsewhere"], ["coordinator elsewhere"], [7070, 40_000]],
  [["operator"], ["coordinator"], [7070]],
  [["operator for all"], ["coordinator", "coordinator elsewhere"], [7070]],
  [["prometheus"], ["coordinator", "coordinator elsewhere"], [7071]],
  [["prometheus"], ["worker", "another worker", "worker elsewhere"], [7072]],
  [["prometheus"], OPERATORS, [7073]],
  [PLUMES, ["store"], [7070]],
  [["coordinator", "coordinator elsewhere", ...OPERATORS], OUTSIDE, [443, 6443]],
  [["worker", "another worker", "worker elsewhere"], OUTSIDE, [443]],
  [PLUMES, ["collector"], [4318]],
  [["coordinator", "client of nats"], ["nats"], [4222]],
  [[...PLUMES, ...OPERATORS], ["dns", "the node's names"], [53]],
];

/** What goes by an address that may be anybody's reaches pods as well, where those let it in. */
const BY_ADDRESS: readonly (readonly [readonly Name[], readonly number[]])[] = [
  [
    ["coordinator", "coordinator elsewhere", ...OPERATORS],
    [443, 6443],
  ],
  [["worker", "another worker", "worker elsewhere"], [443]],
];
const OPEN: readonly Name[] = ["client of nats", "stranger", "stranger elsewhere", "someone's plume-operator"];
const SERVICES: readonly Name[] = ["prometheus", "collector", "dns", "store"];

const nameOf = (from: Name, to: Name, port: number): string => `${from} -> ${to}:${port}`;
const cross = (from: readonly Name[], to: readonly Name[], ports: readonly number[]): string[] =>
  from.flatMap((a) => to.flatMap((b) => ports.map((port) => nameOf(a, b, port))));

/** Between two others nothing is plume's affair. */
const OURS: readonly Name[] = [...PLUMES, ...OPERATORS, "nats"];

const names = Object.keys(ENDS) as Name[];
const allowed = (protocol: "TCP" | "UDP", policies: readonly NetworkPolicy[] = PLUME): string[] =>
  names
    .flatMap((from) => names.map((to) => [from, to] as const))
    .filter(([from, to]) => from !== to && (OURS.includes(from) || OURS.includes(to)))
    .flatMap(([from, to]) =>
      PORTS.filter((port) => allows(everywhere(policies), { from: ENDS[from], to: ENDS[to], port, protocol })).map(
        (port) => nameOf(from, to, port),
      ),
    )
    .sort();

describe("with the component network-policies", () => {
  it("every flow that plume needs passes, and no other one", () => {
    const needed = new Set([
      ...NEEDED.flatMap(([from, to, ports]) => cross(from, to, ports)),
      ...BY_ADDRESS.flatMap(([from, ports]) => cross(from, [...OPEN, ...SERVICES], ports)),
    ]);
    expect(allowed("TCP")).toEqual([...needed].sort());
  });

  it("names are asked by UDP too, and nothing else is", () => {
    expect(allowed("UDP")).toEqual(cross([...PLUMES, ...OPERATORS], ["dns", "the node's names"], [53]).sort());
  });

  it("each rule lets something through that no other one does", () => {
    const all = allowed("TCP").length;
    for (const policy of PLUME)
      for (const type of ["ingress", "egress"] as const)
        for (const rule of policy.spec[type] ?? []) {
          const rest = policy.spec[type]!.filter((each) => each !== rule);
          const less = PLUME.map((each) =>
            each === policy ? { ...each, spec: { ...each.spec, [type]: rest } } : each,
          );
          expect(allowed("TCP", less).length, `${policy.metadata.name} ${JSON.stringify(rule)}`).toBeLessThan(all);
        }
  });
});

describe("what policies say is read as their API has it", () => {
  const a = pod(HERE, "a", "x");
  const b = pod(HERE, "b", "y");
  const policy = (spec: object): { readonly [HERE]: readonly NetworkPolicy[] } => ({
    [HERE]: [
      { kind: "NetworkPolicy", metadata: { name: "p" }, spec: { podSelector: {}, policyTypes: ["Ingress"], ...spec } },
    ],
  });
  const reaches = (policies: ReturnType<typeof policy>, port = 80) => allows(policies, { from: a, to: b, port });
  const from = (...peers: object[]) => policy({ ingress: [{ from: peers }] });

  it("who is selected by none may all, and who is selected may nothing that is not said", () => {
    expect(allows({}, { from: a, to: b, port: 80 })).toBe(true);
    expect(reaches(policy({ podSelector: { matchLabels: { other: "label" } } }))).toBe(true);
    expect(reaches(policy({}))).toBe(false);
    expect(reaches(policy({ policyTypes: ["Egress"] }))).toBe(false);
    expect(reaches(policy({ ingress: [{}] }))).toBe(true);
  });

  it("a peer is a pod of this namespace, of a selected one, or an address", () => {
    expect(reaches(from({ podSelector: { matchLabels: { "app.kubernetes.io/name": "a" } } }))).toBe(true);
    expect(reaches(from({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "other" } } }))).toBe(
      false,
    );
    expect(reaches(from({ namespaceSelector: {}, podSelector: { matchLabels: { a: "b" } } }))).toBe(false);
    expect(reaches(from({ namespaceSelector: {} }, { podSelector: { matchLabels: { a: "b" } } }))).toBe(true);
    expect(reaches(from({ ipBlock: { cidr: "10.1.0.0/16" } }))).toBe(true);
    expect(reaches(from({ ipBlock: { cidr: "10.1.0.0/16", except: [`${a.ip}/32`] } }))).toBe(false);
  });

  it.each([
    ["In", ["a"], true],
    ["In", ["b"], false],
    ["NotIn", ["a"], false],
    ["Exists", undefined, true],
    ["DoesNotExist", undefined, false],
  ])("an expression %s of %s chooses: %s", (operator, values, chosen) => {
    const expression = { key: "app.kubernetes.io/name", operator, ...(values ? { values } : {}) };
    expect(reaches(from({ podSelector: { matchExpressions: [expression] } }))).toBe(chosen);
  });

  it("ports are of a protocol, and a range has both its ends", () => {
    const ports = (...all: object[]) => policy({ ingress: [{ ports: all }] });
    expect(reaches(ports({ port: 80 }))).toBe(true);
    expect(reaches(ports({ port: 80, protocol: "UDP" }))).toBe(false);
    const range = ports({ port: 10, endPort: 20 });
    expect([9, 10, 20, 21].map((port) => reaches(range, port))).toEqual([false, true, true, false]);
  });
});
