// What the kubelet of the tests does with a pod, as the real one does: pods of a few words of bash on this machine's own files.
// Where it differs its own file says.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../../shared/root.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { finished, isDead } from "../../support/processes.ts";

const SLOW = { timeout: 30_000 };
let cluster: Cluster;

beforeAll(async () => {
  const nodes = [
    { name: "node-a", labels: { zone: "a" } },
    { name: "node-b", labels: { zone: "b" }, resources: { cpu: 2, memory: "1Gi", "nvidia.com/gpu": 1 } },
  ];
  cluster = await startCluster({ nodes, images: { here: "/" } });
}, 120_000);

afterAll(() => cluster?.[Symbol.asyncDispose]());

const NAMESPACE = "default";
const kubectl = (...args: string[]) => cluster.kubectl(args);
const get = async (...what: string[]) => JSON.parse(await kubectl("get", ...what, "-o", "json"));
const statusOf = async (pod: string) => (await get("pod", pod)).status;
const containerOf = async (pod: string) => (await statusOf(pod)).containerStatuses?.[0];
/** Of a watch, which misses nothing. @returns the message beside the reason. */
const messageOnceWaiting = (pod: string, reason: string) => {
  const waiting = ".status.containerStatuses[0].state.waiting";
  const printed = ["-o", `jsonpath={${waiting}.message}`, "--timeout=30s"];
  return kubectl("wait", `--for=jsonpath={${waiting}.reason}=${reason}`, `pod/${pod}`, ...printed);
};
const conditionOf = async (pod: string, type: string) =>
  (await statusOf(pod)).conditions?.find((each: { type: string }) => each.type === type);
const phaseOf = async (pod: string) => (await statusOf(pod)).phase;
const logOf = (pod: string) => cluster.kubelet.log(NAMESPACE, pod);
const ready = (...pods: string[]) =>
  kubectl("wait", "--for=condition=Ready", ...pods.map((pod) => `pod/${pod}`), "--timeout=30s");

const bash = (script: string, more: object = {}) => ({
  name: "main",
  image: "here",
  command: ["/bin/bash", "-c", script],
  ...more,
});
/** As this process has it: the PATH of a container may lead to another. */
const node = (script: string, more: object = {}) => ({ ...bash("", more), command: [process.execPath, "-e", script] });
const FOR_EVER = "sleep infinity & wait";

/** Applies a pod of these containers, of which is said what else is different. */
async function run(name: string, container: object, spec: object = {}, metadata: object = {}): Promise<void> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...metadata },
    spec: { terminationGracePeriodSeconds: 1, containers: [container], ...spec },
  };
  await cluster.kubectl(["apply", "-f", "-"], { input: JSON.stringify(pod) });
}

describe("a container", () => {
  it("whose command ends is started again: at once, then after pauses that grow", async () => {
    await run("crashes", bash("exit 3"));
    const backOff = async () => {
      const said = await messageOnceWaiting("crashes", "CrashLoopBackOff");
      return /^back-off (\d+)s restarting failed container=main pod=crashes_default\([-0-9a-f]+\)$/.exec(said)?.[1];
    };
    const pause = Number(await backOff());
    await expect.poll(async () => Number(await backOff()), SLOW).toBeGreaterThan(pause);
    expect(pause).toBeGreaterThan(0);
    const { restartCount, lastState } = await containerOf("crashes");
    expect([restartCount > 1, lastState.terminated.exitCode]).toEqual([true, 3]);
    await kubectl("delete", "pod", "crashes");
  });

  it("is started again as the pod's restartPolicy says", async () => {
    await run("never", bash("exit 1"), { restartPolicy: "Never" });
    await run("well", bash("exit 0"), { restartPolicy: "OnFailure" });
    const again = bash("[ -e /kept/once ] || { touch /kept/once; exit 1; }", {
      volumeMounts: [{ name: "kept", mountPath: "/kept" }],
    });
    await run("again", again, { restartPolicy: "OnFailure", volumes: [{ name: "kept", emptyDir: {} }] });
    await expect.poll(() => phaseOf("never"), SLOW).toBe("Failed");
    await expect.poll(() => phaseOf("well"), SLOW).toBe("Succeeded");
    await expect.poll(() => phaseOf("again"), SLOW).toBe("Succeeded");
    expect((await containerOf("again")).restartCount).toBe(1);
  });

  it("starts after those that initialize the pod, which run one after the other until each ended well", async () => {
    const mounts = { volumeMounts: [{ name: "kept", mountPath: "/kept" }] };
    const first = bash("[ -e /kept/log ] || { echo zero >> /kept/log; exit 1; }; echo one >> /kept/log", mounts);
    const second = bash("echo two >> /kept/log", mounts);
    await run("initialized", bash(`cat /kept/log; ${FOR_EVER}`, mounts), {
      initContainers: [
        { ...first, name: "first" },
        { ...second, name: "second" },
      ],
      volumes: [{ name: "kept", emptyDir: {} }],
    });
    await ready("initialized");
    expect(await kubectl("logs", "initialized", "-c", "main")).toBe("zero\none\ntwo\n");
    const { initContainerStatuses } = await statusOf("initialized");
    expect(initContainerStatuses.map((each: { restartCount: number }) => each.restartCount)).toEqual([1, 0]);
  });

  it("has a /dev of its own, with the 64 MiB of shared memory of a container runtime or those of a volume", async () => {
    const look = bash(
      `ls /dev/shm; df -m --output=size /dev/shm | tail -1; touch /dev/shm/mine; cd /dev; echo *; ${FOR_EVER}`,
    );
    const memory = { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "80Mi" } };
    await run("plain", look);
    await ready("plain");
    await run("more", { ...look, volumeMounts: [{ name: "memory", mountPath: "/dev/shm" }] }, { volumes: [memory] });
    await ready("more");
    const nodes = "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero";
    const lines = (pod: string) =>
      logOf(pod)
        .split("\n")
        .map((line) => line.trim());
    await expect.poll(() => lines("plain"), SLOW).toEqual(["64", nodes, ""]);
    await expect.poll(() => lines("more"), SLOW).toEqual(["80", nodes, ""]);
    expect(existsSync("/dev/shm/mine")).toBe(false);
  });

  it("of an image that is nowhere is waited for, by the reasons of the real one", async () => {
    await run("absent", { ...bash(""), image: "nowhere:1" });
    await run("forbidden", { ...bash(""), image: "nowhere:1", imagePullPolicy: "Never" });
    const failure = 'failed to pull and unpack image "nowhere:1": failed to resolve reference "nowhere:1": not found';
    expect(await messageOnceWaiting("absent", "ErrImagePull")).toBe(failure);
    const backOff = `Back-off pulling image "nowhere:1": ErrImagePull: ${failure}`;
    expect(await messageOnceWaiting("absent", "ImagePullBackOff")).toBe(backOff);
    await messageOnceWaiting("forbidden", "ErrImageNeverPull");
    expect(await phaseOf("absent")).toBe("Pending");
    await kubectl("delete", "pod", "absent", "forbidden");
  });
});

describe("a pod", () => {
  const none = "0/2 nodes are available: ";
  const preemption = `no new claims to deallocate, preemption: ${none}`;
  const unscheduled = async (pod: string) => (await conditionOf(pod, "PodScheduled")) ?? {};

  it("that no node has the resources for waits, in the scheduler's words, until one has", async () => {
    const wants = (requests: object) => bash(FOR_EVER, { resources: { requests, limits: requests } });
    const onB = { nodeSelector: { zone: "b" } };
    await run("greedy", wants({ "nvidia.com/gpu": 2 }));
    await run("first", wants({ cpu: "1500m" }), onB);
    await ready("first");
    await run("second", wants({ cpu: "600m" }), onB);
    await expect
      .poll(() => unscheduled("greedy"), SLOW)
      .toMatchObject({
        status: "False",
        reason: "Unschedulable",
        message: `${none}2 Insufficient nvidia.com/gpu. ${preemption}2 Preemption is not helpful for scheduling.`,
      });
    await expect
      .poll(() => unscheduled("second"), SLOW)
      .toMatchObject({
        reason: "Unschedulable",
        message: `${none}1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector. ${preemption}1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.`,
      });
    await kubectl("delete", "pod", "first", "greedy");
    await ready("second");
  });

  it("sees a ConfigMap and a Secret change in its volumes, but not in single files that are mounted", async () => {
    await kubectl("create", "configmap", "words", "--from-literal=word=before");
    await kubectl("create", "secret", "generic", "hidden", "--from-literal=word=before");
    const volumeMounts = [
      { name: "words", mountPath: "/mnt/words" },
      { name: "hidden", mountPath: "/mnt/hidden" },
      { name: "words", mountPath: "/mnt/single", subPath: "word" },
    ];
    const tell = "while true; do paste -d- /mnt/words/word /mnt/hidden/word /mnt/single; sleep 0.2; done";
    const volumes = [
      { name: "words", configMap: { name: "words" } },
      { name: "hidden", secret: { secretName: "hidden" } },
    ];
    await run("reader", bash(tell, { volumeMounts }), { volumes });
    const last = () => logOf("reader").trim().split("\n").at(-1);
    await ready("reader");
    await expect.poll(last, SLOW).toBe("before-before-before");
    await kubectl("patch", "configmap", "words", "-p", '{"data":{"word":"after"}}');
    await kubectl("patch", "secret", "hidden", "-p", '{"stringData":{"word":"after"}}');
    await expect.poll(last, SLOW).toBe("after-after-before");
  });

  it("changes the times of its conditions when they change", async () => {
    const server =
      "require('http').createServer((_, answer) => { answer.statusCode = code; answer.end() }).listen(7000)";
    const script = `let code = 200; process.on('SIGUSR2', () => { code = 700 - code; }); ${server}`;
    const readinessProbe = { httpGet: { port: 7000 }, periodSeconds: 1, failureThreshold: 1 };
    await run("flaps", node(script, { readinessProbe }));
    await ready("flaps");
    const first = await conditionOf("flaps", "Ready");
    await expect.poll(() => Date.now() - Date.parse(first.lastTransitionTime)).toBeGreaterThan(1_000);
    const flip = async (status: string) => {
      cluster.kubelet.kill(NAMESPACE, "flaps", "SIGUSR2");
      await expect.poll(async () => (await conditionOf("flaps", "Ready")).status, SLOW).toBe(status);
      return Date.parse((await conditionOf("flaps", "Ready")).lastTransitionTime);
    };
    expect(await flip("False")).toBeGreaterThan(Date.parse(first.lastTransitionTime));
    expect(await flip("True")).toBeGreaterThan(Date.parse(first.lastTransitionTime));
    expect((await conditionOf("flaps", "PodScheduled")).lastTransitionTime <= first.lastTransitionTime).toBe(true);
  });

  it("that is deleted is asked to end, and tells how it ended before it is gone", async () => {
    const metadata = { finalizers: ["plume.dev/test"] }; // so that it can be looked at afterwards
    await run("told", bash(`trap 'exit 7' TERM; ${FOR_EVER}`), { terminationGracePeriodSeconds: 20 }, metadata);
    await ready("told");
    await kubectl("delete", "pod", "told", "--wait=false");
    await expect.poll(async () => (await containerOf("told")).state.terminated?.exitCode, SLOW).toBe(7);
    expect(await phaseOf("told")).toBe("Failed");
    await kubectl("patch", "pod", "told", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
  });

  it("shows what it writes to kubectl logs, while it runs and of the life before", async () => {
    const script = "echo one; echo two; read -t 1 < <(sleep 9); echo three; exit 1";
    await run("speaks", bash(script));
    await ready("speaks");
    expect(await kubectl("logs", "speaks", "-f")).toBe("one\ntwo\nthree\n");
    await expect.poll(async () => (await containerOf("speaks")).restartCount, SLOW).toBe(1);
    expect(await kubectl("logs", "speaks", "--previous", "--tail=2")).toBe("two\nthree\n");
    await run("mute", { ...bash(""), image: "nowhere:1" });
    await messageOnceWaiting("mute", "ErrImagePull");
    await expect(kubectl("logs", "mute")).rejects.toThrow(/"main" in pod "mute" is waiting to start/);
    await kubectl("delete", "pod", "speaks", "mute");
  });
});

describe("a pod's network", () => {
  const LISTENS =
    "require('http').createServer((_, answer) => answer.end(require('os').hostname())).listen(7000, '::')";
  const inside = (pod: string, ...command: string[]) => cluster.kubelet.inside(NAMESPACE, pod, command);
  const asks = (url: string) => {
    const script = `process.env.NODE_TLS_REJECT_UNAUTHORIZED = 0; fetch("${url}").then((a) => a.text()).then(console.log, (e) => console.log(e.cause.code))`;
    return [process.execPath, "--no-warnings", "-e", script] as const;
  };

  beforeAll(async () => {
    const probe = { httpGet: { port: 7000 }, periodSeconds: 1 };
    await run("one", { ...node(LISTENS), readinessProbe: probe });
    await run("two", { ...node(LISTENS), readinessProbe: probe });
    await run("three", node(LISTENS.replace("'::'", "'127.0.0.1'")));
    await ready("one", "two", "three");
  });

  it("is its own: two listen on one port, at addresses that pods and this machine reach, under names of their own", async () => {
    const url = (pod: string) => `http://${cluster.kubelet.ip(NAMESPACE, pod)}:7000`;
    expect(await (await fetch(url("one"))).text()).toBe("one");
    expect(await inside("one", ...asks(url("two")))).toBe("two\n");
    expect(await inside("one", ...asks(url("one")))).toBe("one\n");
  });

  it("has a loopback of its own, which is where kubectl port-forward comes from", async () => {
    expect(await inside("one", ...asks("http://127.0.0.1:7000"))).toBe("one\n");
    expect(await inside("one", ...asks("http://[::1]:7000"))).toBe("one\n");
    expect(await inside("three", ...asks("http://127.0.0.1:7000"))).toBe("three\n");
    expect(await inside("one", ...asks(`http://${cluster.kubelet.ip(NAMESPACE, "three")}:7000`))).toBe(
      "ECONNREFUSED\n",
    );
  });

  it("reaches the API server, by its only link", async () => {
    const { port } = new URL(cluster.plane.credentials.url);
    expect(await inside("one", ...asks(`https://${cluster.host}:${port}/livez`))).toBe("ok\n");
    expect(await inside("one", "ip", "-o", "link")).toMatch(/^1: lo: .*\n\d+: eth0@.*\n$/);
  });

  it("is gone with the pod", async () => {
    const space = (await inside("three", "readlink", "/proc/self/ns/net")).trim();
    const isLeft = () => processes().some((pid) => networkOf(pid) === space);
    expect(isLeft()).toBe(true);
    await kubectl("delete", "pod", "three");
    await expect.poll(isLeft).toBe(false);
  });

  /** A process of its own with a network of its own. */
  const makesNetwork = (then: string, before: readonly string[] = []) => {
    const script = `import { createNetwork } from "./test/support/kubernetes/kubelet/network.ts";
      const network = await createNetwork();
      console.log(network.link);
      ${then}`;
    const [command, ...args] = [...before, process.execPath, "--import", "tsx", "--input-type=module", "-e", script];
    return spawn(command!, args, { cwd: ROOT, stdio: "pipe" });
  };

  it("is gone with the process that made it, however that ends", async () => {
    const index = (link: string) => {
      const file = join("/sys/class/net", link, "ifindex");
      return existsSync(file) ? readFileSync(file, "utf8") : null; // of another one by now, where it is another number
    };
    const maker = makesNetwork("");
    const link = `${(await once(maker.stdout, "data"))[0]}`.trim();
    const before = index(link);
    expect(before).toMatch(/^\d+\n$/);
    maker.kill("SIGKILL");
    await expect.poll(() => index(link)).not.toBe(before);
  });

  it("cannot be had without the rights of root, which is said with what to do", async () => {
    const { code, stderr } = await finished(makesNetwork("", ["setpriv", "--bounding-set=-net_admin"]));
    expect(code).toBe(1);
    expect(stderr).toMatch(/no network for pods can be made: .*not permitted[\s\S]*remedy: .*as root/);
  });
});

describe("a node", () => {
  it("has the labels and the room that nodes have", async () => {
    const { metadata, status } = await get("node", "node-b");
    expect(metadata.labels).toMatchObject({
      "kubernetes.io/hostname": "node-b",
      "kubernetes.io/os": "linux",
      "kubernetes.io/arch": expect.stringMatching(/^(amd64|arm64)$/),
    });
    expect(status.allocatable).toEqual({ cpu: "2", memory: "1Gi", pods: "110", "nvidia.com/gpu": "1" });
    expect((await get("node", "node-a")).status.allocatable).not.toHaveProperty("nvidia.com/gpu");
  });

  it("that dies takes its processes with it at once, and says nothing; what is on it begins anew when it is back", async () => {
    const onB = { nodeSelector: { zone: "b" } };
    await run("asked", bash(`trap 'echo asked' TERM; ${FOR_EVER}`), onB);
    await ready("asked");
    const before = await statusOf("asked");
    const [pid] = cluster.kubelet.processes(NAMESPACE, "asked");
    cluster.kubelet.nodeDies("node-b");
    await expect.poll(() => isDead(pid!)).toBe(true);
    await run("elsewhere", bash(FOR_EVER), { nodeSelector: { zone: "a" } });
    await ready("elsewhere"); // so the kubelet has looked at all pods meanwhile
    expect(await statusOf("asked")).toEqual(before);
    expect(logOf("asked")).toBe("");
    cluster.kubelet.nodeBack("node-b");
    await expect.poll(() => cluster.kubelet.processes(NAMESPACE, "asked")[0], SLOW).toEqual(expect.any(Number));
    expect(cluster.kubelet.processes(NAMESPACE, "asked")).not.toEqual([pid]);
  });
});

const processes = () => readdirSync("/proc").filter((name) => /^\d+$/.test(name));
const networkOf = (pid: string): string | null => {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null; // gone since it was listed
  }
};
