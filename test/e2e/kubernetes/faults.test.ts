// One job through everything that a cluster does to it, over a real control plane, with its operator as a process: each time the run
// goes on, the status says what is the matter, and at the end the bits are the laptop's and nothing is left behind.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { type Api, ApiError, createApi } from "../../../k8s/operator/api.ts";
import { readSummary } from "../../../shared/summary.ts";
import { PLUME_VERSION } from "../../../shared/version.ts";
import { askCoordinator } from "../../support/ask-coordinator.ts";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { deletePods } from "../../support/kubernetes/delete-pods.ts";
import { tellsFailures } from "../../support/kubernetes/story.ts";
import {
  configOf,
  installOperator,
  type OperatorProcess,
  startOperatorProcess,
} from "../../support/kubernetes-operator.ts";
import { plume, scratchFolder, tinyJob } from "../../support/plume.ts";
import { isDead, pause } from "../../support/processes.ts";
import { type S3Server, startS3Server } from "../../support/s3-server.ts";

const SLOW = { timeout: 90_000 };
const NODES = ["node-a", "node-b", "node-c"];
const COORDINATOR = "storm-coordinator-0";
const scratch = scratchFolder();
let cluster: Cluster;
let s3: S3Server;
let operator: ReturnType<typeof keepOperator>;
let api: Api;
let job: string;
let namespace: string;
/** Every process that a pod of the job ever had. */
const pids = new Set<number>();

beforeAll(async () => {
  job = tinyJob(scratch.path, "  workers: { min: 1, max: 3, replicas: 3 }\n");
  mkdirSync(scratch.file("empty"));
  cluster = await startCluster({
    nodes: NODES.map((name) => ({ name })),
    images: { [`plume:${PLUME_VERSION}`]: await imageRootfs(), "plume:broken": scratch.file("empty") },
    nodeGraceSeconds: 8,
    evictionSeconds: 1,
    egress: "16mbit",
  });
  s3 = await startS3Server(cluster.host);
  namespace = await cluster.namespace();
  await installOperator(cluster.kubectl, namespace);
  // As k8s/overlays/operator-cluster-wide has it.
  await cluster.kubectl(["create", "clusterrole", "sees-nodes", "--verb=get", "--resource=nodes"]);
  const account = `--serviceaccount=${namespace}:plume-operator`;
  await cluster.kubectl(["create", "clusterrolebinding", "sees-nodes", "--clusterrole=sees-nodes", account]);
  api = createApi({ config: configOf(cluster.kubeconfig, null) });
  operator = keepOperator();
}, 240_000);

afterAll(async () => {
  await operator?.[Symbol.asyncDispose]();
  api?.close();
  await cluster?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

tellsFailures(() => ({ cluster, namespace }));

/** As its Deployment does it: one that ends, also for want of its lease on a busy machine, is followed by another. */
function keepOperator(): AsyncDisposable & { kill(): void } {
  let isOver = false;
  let current: OperatorProcess | null = null;
  const kept = (async () => {
    while (!isOver) {
      current = await startOperatorProcess({
        kubeconfig: cluster.kubeconfig,
        namespace,
        file: scratch.file("operator-kubeconfig"),
        args: ["--lease-seconds=5", "--status-seconds=0.5", "--poll-seconds=0.5", "--node-grace-seconds=3"],
      });
      await current.exited;
    }
  })();
  return {
    kill: () => void current?.child.kill("SIGKILL"),
    async [Symbol.asyncDispose]() {
      isOver = true;
      await current?.[Symbol.asyncDispose]();
      await kept;
    },
  };
}

const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
const get = async (what: string) => JSON.parse(await kubectl("get", what, "-o", "json"));
const patch = (spec: object) => kubectl("patch", "dj/storm", "--type=merge", "-p", JSON.stringify({ spec }));
const conditionOf = async (type: string) =>
  (await get("dj/storm")).status?.conditions?.find((each: { type: string }) => each.type === type);
const expectCondition = (type: string, expected: object) =>
  expect.poll(() => conditionOf(type), SLOW).toMatchObject(expected);
const nodeOf = (pod: string) => kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}");
const ready = () => kubectl("get", "dj/storm", "-o", "jsonpath={.status.workers.ready}");
const warnings = () => kubectl("events", "--for", "dj/storm", "--types=Warning");

/** Of the coordinator itself: no operator need be there. -1 between two of them. */
const step = async (): Promise<number> => (await askCoordinator(`${ip()}:7070`))?.step ?? -1;

function ip(): string {
  try {
    return cluster.kubelet.ip(namespace, COORDINATOR);
  } catch {
    return "127.0.0.1"; // where none is
  }
}

/** Training has come further than it ever was, and whoever works at it is noted. */
async function goesOn(): Promise<void> {
  const before = (await get("dj/storm")).status.step as number;
  await expect.poll(step, SLOW).toBeGreaterThan(before);
  for (const name of [COORDINATOR, ...[0, 1, 2].map((i) => `storm-worker-${i}`)]) noteProcesses(name);
}

function noteProcesses(pod: string): void {
  try {
    for (const pid of cluster.kubelet.processes(namespace, pod)) if (pid !== null) pids.add(pid);
  } catch {} // not there at this moment
}

function jobOf(image: string): string {
  const file = parse(readFileSync(job, "utf8"));
  return stringify({
    apiVersion: "plume.dev/v1alpha1",
    kind: "DiffusionJob",
    metadata: { name: "storm" },
    spec: {
      ...file.spec,
      training: { ...file.spec.training, steps: 1_000_000 },
      checkpoint: { store: `s3://${s3.bucket}/storm`, everySteps: 10, retrySeconds: 2 },
      store: { endpoint: s3.endpoint },
      kubernetes: {
        image,
        coordinator: { resources: { requests: { "nvidia.com/gpu": 1 }, limits: { "nvidia.com/gpu": 1 } } },
      },
    },
  });
}

describe("a job that does not start says why, and starts once that is mended", () => {
  it("where no node has what it asks for", async () => {
    await cluster.kubectl(["-n", namespace, "apply", "-f", "-"], { input: jobOf("plume:absent") });
    await expectCondition("Progressing", {
      status: "False",
      reason: "Unschedulable",
      message: expect.stringMatching(
        /0\/3 nodes are available: 3 Insufficient nvidia.com\/gpu.*kubernetes.coordinator/,
      ),
    });
    expect((await get("dj/storm")).status.phase).toBe("Pending");
    await patch({ kubernetes: { coordinator: { resources: null } } });
  });

  it("where its image cannot be pulled, or its command fails", async () => {
    await expectCondition("Progressing", {
      status: "False",
      reason: "ImagePullBackOff",
      message: expect.stringMatching(/plume:absent.*correct kubernetes\.image/),
    });
    await patch({ kubernetes: { image: "plume:broken" } });
    await expectCondition("Progressing", {
      status: "False",
      reason: "CrashLoopBackOff",
      message: expect.stringMatching(/it exited with code 12\d.*kubernetes\.image must be an image of plume/s),
    });
    expect(await warnings()).toMatch(/CrashLoopBackOff/);
    await patch({ kubernetes: { image: `plume:${PLUME_VERSION}` } });
  });

  it("where its store refuses the credentials: it has failed with the remedy, and is resumed when they are right", async () => {
    await expectCondition("Failed", {
      status: "True",
      reason: "Mistake",
      message: expect.stringMatching(/credentials.*AWS_ACCESS_KEY_ID.*set suspend to true and then to false/s),
    });
    const keys = Object.entries(s3.env).map(([name, value]) => `--from-literal=${name}=${value}`);
    await kubectl("create", "secret", "generic", "plume-store", ...keys);
    await patch({ suspend: true });
    await kubectl("wait", "--for=condition=Suspended", "dj/storm", "--timeout=60s");
    // The pods that are going may have had the credentials at last, and train a step yet: what goes on must be the next ones.
    await expect.poll(() => kubectl("get", "pods", "-o", "name"), SLOW).toBe("");
    await patch({ suspend: false });
    await expect.poll(ready, SLOW).toBe("3");
    await goesOn();
    expect(await warnings()).not.toContain("CoordinatorUnreachable");
  });
});

describe("a job that trains goes on", () => {
  it("while its store refuses what it wrote before, which is told of until it takes it", async () => {
    await s3.kill();
    await s3.restart("another-secret-2718281828");
    await expectCondition("CheckpointsWritten", {
      status: "False",
      reason: "CheckpointFailing",
      message: expect.stringMatching(/refuses the credentials/),
    });
    await goesOn();
    await s3.kill();
    await s3.restart();
    await expectCondition("CheckpointsWritten", { status: "True" });
    expect(await kubectl("events", "--for", "dj/storm")).toMatch(/Warning +CheckpointFailing/);
  });

  it("when one pod is deleted, and when all are at once", async () => {
    await kubectl("delete", "pod", "storm-worker-1", "--wait=false");
    await goesOn();
    await deletePods(kubectl, ["--all"], "--grace-period=1");
    await goesOn();
  });

  it("while a node is drained, which waits where too many workers would be gone", async () => {
    await expect.poll(ready, SLOW).toBe("3");
    await cluster.kubectl(["cordon", ...NODES]);
    await deletePods(kubectl, ["storm-worker-0"]);
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "storm-worker-1", namespace } };
    const path = `/api/v1/namespaces/${namespace}/pods/storm-worker-1/eviction`;
    const refused = () =>
      api.call({ method: "POST", path, query: { dryRun: "All" }, body: eviction }).then(
        () => 0,
        (error) => (error instanceof ApiError ? error.code : -1),
      );
    await expect.poll(refused).toBe(429);
    const node = await nodeOf("storm-worker-1");
    await cluster.kubectl(["uncordon", ...NODES]);
    await cluster.kubectl(["drain", node, "--delete-emptydir-data", "--force", "--timeout=90s"]);
    expect(await kubectl("get", "pods", "-o", `jsonpath={.items[?(@.spec.nodeName=="${node}")].metadata.name}`)).toBe(
      "",
    );
    await goesOn();
    await cluster.kubectl(["uncordon", node]);
  });

  it("when its node is cut off with the coordinator on it; what comes back from there changes nothing", async () => {
    await expect.poll(ready, SLOW).toBe("3");
    const node = await nodeOf(COORDINATOR);
    const uid = (await get(`pod/${COORDINATOR}`)).metadata.uid;
    const stranded = cluster.kubelet.processes(namespace, COORDINATOR);
    cluster.kubelet.nodeCutOff(node);
    await expect
      .poll(async () => (await get(`pod/${COORDINATOR}`).catch(() => null))?.metadata.uid ?? uid, SLOW)
      .not.toBe(uid);
    expect(await nodeOf(COORDINATOR)).not.toBe(node);
    expect(await warnings()).toMatch(/NodeLost/);
    await goesOn();
    for (const pid of stranded) expect(isDead(pid!)).toBe(false);
    cluster.kubelet.nodeReached(node);
    await expect.poll(() => stranded.map((pid) => isDead(pid!)), SLOW).toEqual([true]);
    await goesOn();
  });

  it("when its operator is killed, and is put right by the next one", async () => {
    operator.kill();
    await kubectl("scale", "dj/storm", "--replicas=2");
    await expect.poll(() => kubectl("get", "sts/storm-worker", "-o", "jsonpath={.spec.replicas}"), SLOW).toBe("2");
    await expect.poll(ready, SLOW).toBe("2");
  });

  it("while the API server is started anew, and while etcd stands still for 20 seconds", async () => {
    await cluster.plane.apiServer.kill();
    const before = await step();
    await expect.poll(step, SLOW).toBeGreaterThan(before);
    await cluster.plane.apiServer.start();
    await goesOn();
    cluster.plane.etcd.freeze();
    const frozenAt = await step();
    await pause(20_000);
    expect(await step()).toBeGreaterThan(frozenAt);
    cluster.plane.etcd.thaw();
    await goesOn();
  });

  it("when its job file is deleted together with the pod that reads it", async () => {
    const [file] = (await kubectl("get", "configmap", "-o", "name"))
      .split("\n")
      .filter((name) => name.includes("storm-job-"));
    await kubectl("delete", file!);
    await deletePods(kubectl, [COORDINATOR], "--grace-period=1");
    await goesOn();
    expect(await kubectl("get", file!, "-o", "name")).toBe(`${file}\n`);
  });
});

it("ends at the laptop's bits, and leaves no pod, no process and, once it is deleted, no object", async () => {
  const steps = (await get("dj/storm")).status.step + 50;
  await patch({ training: { steps } });
  const out = scratch.file("laptop");
  const laptop = plume("train", "-f", job, "--out", out, "--workers", "1", "--steps", `${steps}`);
  await kubectl("wait", "--for=condition=Complete", "dj/storm", "--timeout=100s");
  const { status } = await get("dj/storm");
  expect(status.step).toBe(steps);
  await expect.poll(() => kubectl("get", "pods", "-o", "name"), SLOW).toBe("");
  expect([...pids].filter((pid) => !isDead(pid))).toEqual([]);
  expect(pids.size).toBeGreaterThan(8);
  await kubectl("delete", "dj/storm");
  const kinds = "statefulset,configmap,service,serviceaccount,role,rolebinding,poddisruptionbudget";
  await expect.poll(() => kubectl("get", kinds, "-l", "app.kubernetes.io/name=plume", "-o", "name")).toBe("");
  expect((await laptop).code).toBe(0);
  expect(status.weightsSha256).toBe(readSummary(join(out, "summary.json")).weightsSha256);
}, 240_000);
