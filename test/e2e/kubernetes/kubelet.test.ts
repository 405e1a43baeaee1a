// What the kubelet of the tests does with a pod, as the real one does: pods of a few words of bash on this machine's own files.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../../shared/root.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { finished, isDead } from "../../support/processes.ts";

const SLOW = { timeout: 30_000 };
let cluster: Cluster;
let namespace: string;

beforeAll(async () => {
  const nodes = [
    { name: "node-a", labels: { zone: "a" } },
    { name: "node-b", labels: { zone: "b" }, resources: { cpu: 2, memory: "1Gi", "nvidia.com/gpu": 1 } },
  ];
  cluster = await startCluster({ nodes, images: { here: "/" } });
  namespace = "default";
}, 120_000);

afterAll(() => cluster?.[Symbol.asyncDispose]());

const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
const podOf = async (name: string) => JSON.parse(await kubectl("get", "pod", name, "-o", "json"));
const containerOf = async (name: string) => (await podOf(name)).status.containerStatuses?.[0];
const waitingOf = async (name: string) => (await containerOf(name))?.state.waiting;
const conditionOf = async (name: string, type: string) =>
  (await podOf(name)).status.conditions?.find((each: { type: string }) => each.type === type);
const phase = async (name: string) => (await podOf(name)).status.phase;
const logOf = (name: string) => cluster.kubelet.log(namespace, name);

const bash = (script: string) => ({ name: "main", image: "here", command: ["/bin/bash", "-c", script] });
/** As the tests' own process has it: what the machine's PATH has may be another. */
const node = (script: string) => ({ name: "main", image: "here", command: [process.execPath, "-e", script] });
const LISTENS = "require('http').createServer((_, answer) => answer.end(require('os').hostname())).listen(7000, '::')";

/** Applies a pod of these containers, that says what else is different. */
async function run(name: string, container: object, spec: object = {}): Promise<void> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, containers: [container], ...spec },
  };
  await cluster.kubectl(["-n", namespace, "apply", "-f", "-"], { input: JSON.stringify(pod) });
}

/** A command in the network of a pod. */
async function inside(pod: string, ...command: string[]): Promise<string> {
  const target = `${cluster.kubelet.processes(namespace, pod)[0]}`;
  const child = spawn("nsenter", ["--target", target, "--net", "--", ...command], { stdio: "pipe" });
  const { stdout, stderr } = await finished(child);
  return stdout + stderr;
}
const asks = (url: string) =>
  [
    process.execPath,
    "-e",
    `fetch("${url}").then((a) => a.text()).then(console.log, (e) => console.log(e.cause.code))`,
  ] as const;

describe("a pod's network", () => {
  beforeAll(async () => {
    const probe = { httpGet: { port: 7000 }, periodSeconds: 1 };
    await run("one", { ...node(LISTENS), readinessProbe: probe });
    await run("two", { ...node(LISTENS), readinessProbe: probe });
    await run("three", node(LISTENS.replace("'::'", "'127.0.0.1'")));
    await kubectl("wait", "--for=condition=Ready", "pod/one", "pod/two", "pod/three", "--timeout=30s");
  });

  it("is its own: two listen on one port, at addresses that pods and this machine reach, under names of their own", async () => {
    const url = (pod: string) => `http://${cluster.kubelet.ip(namespace, pod)}:7000`;
    expect(await (await fetch(url("one"))).text()).toBe("one");
    expect(await inside("one", ...asks(url("two")))).toBe("two\n");
    expect(await inside("one", ...asks(url("one")))).toBe("one\n");
  });

  it("has a loopback of its own, which is where kubectl port-forward comes from", async () => {
    expect(await inside("one", ...asks("http://127.0.0.1:7000"))).toBe("one\n");
    expect(await inside("one", ...asks("http://[::1]:7000"))).toBe("one\n");
    expect(await inside("three", ...asks("http://127.0.0.1:7000"))).toBe("three\n");
    expect(await inside("one", ...asks(`http://${cluster.kubelet.ip(namespace, "three")}:7000`))).toBe(
      "ECONNREFUSED\n",
    );
  });

  it("reaches the API server, and nothing beyond this machine", async () => {
    const { port } = new URL(cluster.plane.credentials.url);
    expect(await inside("one", "curl", "-sk", `https://${cluster.host}:${port}/livez`)).toBe("ok");
    expect(await inside("one", "ip", "-o", "link")).toMatch(/^1: lo: .*\n\d+: eth0@.*\n$/);
  });

  it("is gone with the pod", async () => {
    const links = () => inside("one", "true").then(() => spawned("ip", "-o", "link", "show", "type", "veth"));
    const bridge = (await spawned("ip", "-o", "addr", "show", "to", cluster.host)).split(" ")[1];
    expect((await links()).match(new RegExp(`master ${bridge} `, "g"))).toHaveLength(3);
    await kubectl("delete", "pod", "three");
    await expect.poll(async () => (await links()).match(new RegExp(`master ${bridge} `, "g"))).toHaveLength(2);
  });

  it("is taken away by the next process when its own was killed", async () => {
    const script = `import { createNetwork } from "./test/support/kubernetes/kubelet/network.ts";
      console.log(createNetwork().bridge);
      setInterval(() => {}, 1000);`;
    const start = () =>
      spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], { cwd: ROOT, stdio: "pipe" });
    const bridgeOf = async (child: ReturnType<typeof start>) => `${(await once(child.stdout, "data"))[0]}`.trim();
    const index = (bridge: string) => readFileSync(join("/sys/class/net", bridge, "ifindex"), "utf8");
    const first = start();
    const bridge = await bridgeOf(first);
    const before = index(bridge);
    first.kill("SIGKILL");
    await once(first, "exit");
    expect(index(bridge)).toBe(before);
    const second = start();
    await bridgeOf(second);
    expect(existsSync(join("/sys/class/net", bridge)) && index(bridge)).not.toBe(before);
    second.kill("SIGKILL");
    await once(second, "exit");
  });
});

const spawned = async (command: string, ...args: string[]) =>
  (await finished(spawn(command, args, { stdio: "pipe" }))).stdout;
