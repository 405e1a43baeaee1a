// Nodes that are only API objects with a heartbeat: taken for alive as long as they renew their lease.

import { type Client, isPassing } from "./client.ts";
import type { Amounts } from "./quantity.ts";

export interface NodeOptions {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** What it has, other than ROOM, for example { cpu: 2, "nvidia.com/gpu": 2 }. */
  readonly resources?: Amounts;
}

export interface Node extends Required<NodeOptions> {
  alive: boolean;
  /** When it began, or came back. */
  since: string;
}

/** More than this machine has: what pods ask for is counted, what they take is not limited. */
const ROOM: Amounts = { cpu: "64", memory: "256Gi", pods: "110" };

const HEARTBEAT_MS = 2_000;
const LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

export interface Nodes extends AsyncDisposable {
  readonly all: readonly Node[];
  beat(): Promise<void>;
}

/** Where the API server finds what `kubectl logs` shows, of all nodes. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export async function registerNodes(
  client: Client,
  address: NodeAddress,
  options: readonly NodeOptions[],
): Promise<Nodes> {
  const all = options.map(nodeOf);
  for (const { name, labels } of all) {
    await client.post("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name, labels } });
    await client.post(LEASES, lease(name));
  }
  const beat = async () => {
    for (const node of all) {
      if (!node.alive) continue;
      await client.patch(`${LEASES}/${node.name}`, { spec: { renewTime: microTime() } });
      await client.patch(`/api/v1/nodes/${node.name}/status`, { status: statusOf(node, address) });
    }
  };
  await beat();
  let beating = Promise.resolve();
  const timer = setInterval(() => {
    beating = beating.then(beat).catch((error) => {
      if (!isPassing(error)) throw error;
    });
  }, HEARTBEAT_MS);
  return {
    all,
    beat,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await beating;
    },
  };
}

const microTime = () => new Date().toISOString().replace("Z", "000Z");

const lease = (name: string) => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name, namespace: "kube-node-lease" },
  spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTime() },
});

const nodeOf = ({ name, labels, resources }: NodeOptions): Node => ({
  name,
  labels: {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": ARCHITECTURES[process.arch] ?? process.arch,
    ...labels,
  },
  resources: { ...ROOM, ...resources },
  alive: true,
  since: new Date().toISOString(),
});

/** Go's names for them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64" };

function statusOf({ resources, since }: Node, { host, port }: NodeAddress) {
  const capacity = Object.fromEntries(Object.entries(resources).map(([name, amount]) => [name, `${amount}`]));
  const ready = {
    type: "Ready",
    status: "True",
    reason: "KubeletReady",
    lastHeartbeatTime: new Date().toISOString(),
    lastTransitionTime: since,
  };
  return {
    capacity,
    allocatable: capacity,
    conditions: [ready],
    addresses: [{ type: "InternalIP", address: host }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
}
