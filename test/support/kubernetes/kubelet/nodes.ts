// Nodes that are only API objects with a heartbeat: taken for alive as long as they renew their lease.

import { type Client, isPassing } from "./client.ts";

export interface NodeOptions {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Beside cpu and memory, for example { "nvidia.com/gpu": 2 }. */
  readonly resources?: Readonly<Record<string, number>>;
}

export interface Node extends NodeOptions {
  alive: boolean;
}

const HEARTBEAT_MS = 2_000;
const LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

export interface Nodes extends AsyncDisposable {
  readonly all: readonly Node[];
  beat(): Promise<void>;
}

export async function registerNodes(client: Client, options: readonly NodeOptions[]): Promise<Nodes> {
  const all: Node[] = options.map((each) => ({ ...each, alive: true }));
  for (const node of all) {
    await client.post("/api/v1/nodes", {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: node.name, labels: { "kubernetes.io/hostname": node.name, ...node.labels } },
    });
    await client.post(LEASES, lease(node.name));
  }
  const beat = async () => {
    for (const node of all) {
      if (!node.alive) continue;
      await client.patch(`${LEASES}/${node.name}`, { spec: { renewTime: microTime() } });
      await client.patch(`/api/v1/nodes/${node.name}/status`, { status: statusOf(node) });
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

function statusOf({ resources = {} }: Node) {
  const numbers = Object.fromEntries(Object.entries(resources).map(([name, count]) => [name, String(count)]));
  const capacity = { cpu: "64", memory: "256Gi", pods: "500", ...numbers };
  const now = new Date().toISOString();
  const ready = { type: "Ready", status: "True", reason: "KubeletReady", lastHeartbeatTime: now };
  return { capacity, allocatable: capacity, conditions: [ready], nodeInfo: undefined };
}
