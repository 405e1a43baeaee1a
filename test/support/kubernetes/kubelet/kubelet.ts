// A scheduler and a kubelet that run pods as processes of this machine, for tests: what a cluster does to a pod is done here
// to real processes of the real image. Looks at all pods several times a second and makes what is what should be.
//
// Unlike the real ones: no exec and no port-forward through the API, no sidecars, no devices, no limits of memory and processor
// (what is asked for is counted), no network policies, no addresses of services (names lead to pods, by /etc/hosts), no events, no
// affinity, httpGet probes alone, and pauses of a tenth. What it promises is in test/e2e/kubernetes/kubelet.test.ts.

import { spawn } from "node:child_process";
import { scratchFolder } from "../../plume.ts";
import { finished } from "../../processes.ts";
import type { ControlPlane } from "../control-plane.ts";
import { createClient, isPassing } from "./client.ts";
import { startLogServer } from "./logs.ts";
import { hostsOf, type Service, writeHosts } from "./names.ts";
import type { Network } from "./network.ts";
import { type NodeOptions, registerNodes } from "./nodes.ts";
import type { Pod } from "./objects.ts";
import { createPod, type RunningPod } from "./pod.ts";
import { decidePlacement, isOver, type Taint } from "./scheduler.ts";
import { provision } from "./volumes.ts";

export interface KubeletOptions {
  readonly nodes?: readonly NodeOptions[];
  /** Root file system of each image, by its name. */
  readonly images: Readonly<Record<string, string>>;
}

export interface Kubelet extends AsyncDisposable {
  /** Pids of the pod's containers, as this machine sees them; null for one that does not run. */
  processes(namespace: string, pod: string): (number | null)[];
  kill(namespace: string, pod: string, signal: NodeJS.Signals): void;
  /** What its containers wrote, of a pod that is there. */
  log(namespace: string, pod: string): string;
  /** The same of every pod that is or was on a node of this namespace, by its name; the newest life last. */
  logs(namespace: string): [pod: string, log: string][];
  ip(namespace: string, pod: string): string;
  /** What this machine's command says in the network of a pod. */
  inside(namespace: string, pod: string, command: readonly string[]): Promise<string>;
  /** Without a word: its processes are gone, and nobody tells the API. */
  nodeDies(name: string): void;
  nodeBack(name: string): void;
  /** Its network is gone, and what runs there goes on; with `nodeReached` it is back, and hears what was decided meanwhile. */
  nodeCutOff(name: string): void;
  nodeReached(name: string): void;
}

const logOf = ({ running }: Entry): string => running.runners.map(({ log }) => log).join("");

const ROUND_MS = 250;
/** Of the real one's minute. */
const REFRESH_MS = 3_000;

interface Entry {
  readonly running: RunningPod;
  pod: Pod;
  sent: string;
  ending: boolean;
  ended: boolean;
}

/** @param network on which pods reach the control plane. */
export async function startKubelet(plane: ControlPlane, network: Network, options: KubeletOptions): Promise<Kubelet> {
  const { nodes: nodeOptions = [{ name: "node-a" }, { name: "node-b" }], images } = options;
  const scratch = scratchFolder();
  const client = createClient(plane.kubeconfig);
  const { hostname, port } = new URL(plane.credentials.url);
  const cluster = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  const entries = new Map<string, Entry>();
  const found = (namespace: string, name: string) =>
    [...entries.values()].findLast(({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name);
  const logs = await startLogServer({
    ...plane.credentials,
    host: network.address,
    find: (namespace, pod, container) =>
      found(namespace, pod)?.running.runners.find(({ status }) => status.name === container) ?? null,
  });
  const nodes = await registerNodes(client, { host: network.address, port: logs.port }, nodeOptions);
  const provisioned = new Set<string>();
  const hosts = new Map<string, string>();
  const hostsFile = (namespace: string) => scratch.file(`hosts-${namespace}`);
  const nodeOf = (name: string) => nodes.all.find((node) => node.name === name);

  const schedule = async (pods: readonly Pod[]) => {
    const waiting = pods.filter(({ spec, metadata }) => !spec.nodeName && !metadata.deletionTimestamp);
    if (waiting.length === 0) return;
    const objects = await client.list<{
      metadata: { name: string };
      spec?: { taints?: Taint[]; unschedulable?: boolean };
    }>("/api/v1/nodes");
    const taints = new Map(objects.map(({ metadata, spec }) => [metadata.name, spec?.taints ?? []]));
    const cordoned = new Set(objects.filter(({ spec }) => spec?.unschedulable).map(({ metadata }) => metadata.name));
    const placed = [...pods];
    for (const pod of waiting) {
      const { name, namespace } = pod.metadata;
      const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
      const placement = decidePlacement(pod, { nodes: nodes.all, taints, cordoned, pods: placed });
      if (placement.kind === "bind") {
        const target = { apiVersion: "v1", kind: "Node", name: placement.node };
        await client.bind(`${path}/binding`, { apiVersion: "v1", kind: "Binding", metadata: { name }, target });
        placed.push({ ...pod, spec: { ...pod.spec, nodeName: placement.node } });
        continue;
      }
      const said = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
      if (said?.message === placement.message) continue;
      const condition = {
        type: "PodScheduled",
        status: "False",
        reason: "Unschedulable",
        message: placement.message,
        lastTransitionTime: said?.lastTransitionTime ?? new Date().toISOString(),
      };
      await client.patch(`${path}/status`, { status: { conditions: [condition] } });
    }
  };

  const admit = (pod: Pod): Entry => {
    const { uid, namespace } = pod.metadata;
    const file = hostsFile(namespace);
    if (!hosts.has(namespace)) writeHosts(file, hostsOf(namespace, [], []));
    const running = createPod({
      client,
      pod,
      network,
      folder: scratch.file("pods", uid),
      claimFolder: (space, claim) => scratch.file("claims", space, claim),
      hosts: file,
      images,
      cluster,
    });
    const entry = { running, pod, sent: "", ending: false, ended: false };
    entries.set(uid, entry);
    return entry;
  };

  const end = (entry: Entry, grace: number) => {
    if (entry.ending) return;
    entry.ending = true;
    void entry.running.end(grace).then(() => {
      entry.ended = true;
    });
  };

  const tell = async (entry: Entry) => {
    const { name, namespace, uid } = entry.pod.metadata;
    const status = entry.running.statusFor(entry.pod);
    const text = JSON.stringify(status);
    if (text === entry.sent) return;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
    if (await client.patch(path, { metadata: { uid }, status })) entry.sent = text;
  };

  const care = async (pod: Pod) => {
    const { name, namespace, uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    const node = nodeOf(pod.spec.nodeName ?? "");
    if (!node?.alive) return;
    const known = entries.get(uid);
    const gone = !known || known.ended;
    if (deletionTimestamp !== undefined && gone) {
      if (known) await tell(known); // how its containers ended
      await client.delete(`/api/v1/namespaces/${namespace}/pods/${name}`, {
        gracePeriodSeconds: 0,
        preconditions: { uid },
      });
      return;
    }
    // Of before its node was away: what has ended stays as it is.
    if (!known && isOver(pod)) return;
    const entry = known ?? admit(pod);
    entry.pod = pod;
    await tell(entry);
    if (deletionTimestamp !== undefined) end(entry, deletionGracePeriodSeconds ?? 30);
    else entry.running.sync();
  };

  const isCaredFor = ({ pod, ending }: Entry) => !ending && nodeOf(pod.spec.nodeName!)!.alive;
  let refreshed = Date.now();
  const refresh = async () => {
    if (Date.now() - refreshed < REFRESH_MS) return;
    await Promise.all([...entries.values()].filter(isCaredFor).map(({ running }) => running.refresh()));
    refreshed = Date.now();
  };

  /** @param there pods by their uids: what runs on where its node is cut off has no name any more. */
  const publish = (services: readonly Service[], there: ReadonlySet<string>) => {
    const all = [...entries.values()].filter(({ pod }) => there.has(pod.metadata.uid));
    const named = all.map(({ pod, running }) => ({ pod, ip: running.ip, ready: running.ready }));
    for (const namespace of new Set(all.map(({ pod }) => pod.metadata.namespace))) {
      const text = hostsOf(namespace, services, named);
      if (hosts.get(namespace) === text) continue;
      writeHosts(hostsFile(namespace), text);
      hosts.set(namespace, text);
    }
  };

  const round = async () => {
    const pods = await client.list<Pod>("/api/v1/pods");
    const there = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const [uid, entry] of entries) {
      if (there.has(uid) || !nodeOf(entry.pod.spec.nodeName ?? "")?.alive) continue;
      end(entry, 1); // deleted by force: nobody waits for it
      if (entry.ended) entries.delete(uid);
    }
    await provision(client, provisioned);
    await schedule(pods);
    for (const pod of pods) if (pod.spec.nodeName) await care(pod);
    await refresh();
    publish(await client.list<Service>("/api/v1/services"), there);
  };

  let closed = false;
  const rounds = (async () => {
    while (!closed) {
      await round().catch((error) => {
        if (!isPassing(error)) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    }
  })();
  let failure: unknown = null;
  rounds.catch((error) => {
    failure = error; // told to whoever asks next
  });

  const entryOf = (namespace: string, name: string): Entry => {
    if (failure) throw failure;
    const entry = found(namespace, name);
    if (!entry) throw new Error(`no pod ${namespace}/${name} was here`);
    return entry;
  };
  return {
    processes: (namespace, pod) => entryOf(namespace, pod).running.runners.map(({ pid }) => pid),
    kill(namespace, pod, signal) {
      for (const runner of entryOf(namespace, pod).running.runners) runner.kill(signal);
    },
    log: (namespace, pod) => logOf(entryOf(namespace, pod)),
    logs: (namespace) =>
      [...entries.values()]
        .filter(({ pod }) => pod.metadata.namespace === namespace)
        .map((entry) => [entry.pod.metadata.name, logOf(entry)]),
    ip: (namespace, pod) => entryOf(namespace, pod).running.ip,
    async inside(namespace, pod, command) {
      const enter = [
        "--target",
        `${await entryOf(namespace, pod).running.sandbox}`,
        "--net",
        "--uts",
        "--",
        ...command,
      ];
      const { stdout, stderr } = await finished(spawn("nsenter", enter, { stdio: ["ignore", "pipe", "pipe"] }));
      return stdout + stderr;
    },
    nodeDies(name) {
      nodeOf(name)!.alive = false;
      for (const { pod, running } of entries.values()) if (pod.spec.nodeName === name) running.die();
    },
    nodeBack(name) {
      Object.assign(nodeOf(name)!, { alive: true, since: new Date().toISOString() });
      // A machine that comes back runs nothing of before: its pods begin anew.
      for (const [uid, { pod }] of entries) if (pod.spec.nodeName === name) entries.delete(uid);
    },
    nodeCutOff(name) {
      nodeOf(name)!.alive = false;
      for (const { pod, running } of entries.values()) if (pod.spec.nodeName === name) running.connect(false);
    },
    nodeReached(name) {
      Object.assign(nodeOf(name)!, { alive: true, since: new Date().toISOString() });
      for (const { pod, running } of entries.values()) if (pod.spec.nodeName === name) running.connect(true);
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await rounds.catch(() => {});
      await nodes[Symbol.asyncDispose]();
      await logs[Symbol.asyncDispose]();
      await Promise.all([...entries.values()].map(({ running }) => running.end(0)));
      client.close();
      scratch[Symbol.dispose]();
      await rounds;
    },
  };
}
