// k8s/base on a real API server: `kubectl apply -k` of an overlay trains the job to the laptop's bits, from checkpoints on S3,
// whatever happens to its pods meanwhile, and leaves no worker running.

import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StatusReport } from "../../../shared/control/verbs.ts";
import { ROOT } from "../../../shared/root.ts";
import { readSummary } from "../../../shared/summary.ts";
import { PLUME_VERSION } from "../../../shared/version.ts";
import { askCoordinator } from "../../support/ask-coordinator.ts";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { deletePods } from "../../support/kubernetes/delete-pods.ts";
import { plume, scratchFolder, tinyJob } from "../../support/plume.ts";
import { type S3Server, startS3Server } from "../../support/s3-server.ts";

const TOKEN = "what-opens-the-page-of-the-test";
const SLOW = { timeout: 90_000 };
const scratch = scratchFolder();
let s3: S3Server;
let cluster: Cluster;
let job: string;
let namespace: string;

beforeAll(async () => {
  job = tinyJob(scratch.path, "  workers: { min: 1, max: 4, replicas: 2, backend: wasm }\n");
  cluster = await startCluster({ images: { [`plume:${PLUME_VERSION}`]: await imageRootfs() }, egress: "8mbit" });
  s3 = await startS3Server(cluster.host);
  // As a user has them, with a job of his own.
  for (const folder of ["base", "overlays/s3", "overlays/dev"])
    cpSync(join(ROOT, "k8s", folder), scratch.file(folder), { recursive: true });
  writeJob(1_000_000);
  namespace = await cluster.namespace();
  const keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map((key) => `--from-literal=${key}=${s3.env[key]}`);
  await kubectl("create", "secret", "generic", "plume-store", ...keys);
  await kubectl("create", "secret", "generic", "plume-page", `--from-literal=token=${TOKEN}`);
}, 240_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** The laptop's job, of another name and with so many steps. */
const jobText = (steps: number): string =>
  readFileSync(job, "utf8").replace("steps: 8", `steps: ${steps}`).replace("name: tiny", "name: plume");

/** With its checkpoints on S3. */
function writeJob(steps: number): void {
  writeFileSync(
    scratch.file("overlays/s3/job.yaml"),
    `${jobText(steps)}  checkpoint: { store: "s3://${s3.bucket}/plume", everySteps: 10 }\n  store: { endpoint: "${s3.endpoint}" }\n`,
  );
}

/** @returns the digest of the weights of the same job on this machine. */
async function laptop(steps: number): Promise<string> {
  const out = scratch.file(`laptop-${steps}`);
  expect((await plume("train", "-f", job, "--out", out, "--workers", "1", "--steps", `${steps}`)).code).toBe(0);
  return readSummary(join(out, "summary.json")).weightsSha256;
}

const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
const pods = () => kubectl("get", "pods", "--no-headers");
const replicas = () => kubectl("get", "statefulset/plume-worker", "-o", "jsonpath={.spec.replicas}");
const pidOf = (pod: string) => cluster.kubelet.processes(namespace, pod)[0];
const address = () => `${cluster.kubelet.ip(namespace, "plume-coordinator-0")}:7070`;
const ctl = async (...args: string[]) => {
  const { code, stdout, stderr } = await plume("ctl", ...args, "--address", address(), "--timeout", "10", "--json");
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};
/** Null between two coordinators. */
const status = async (): Promise<StatusReport | null> => {
  try {
    return await askCoordinator(address());
  } catch {
    return null; // there is no pod
  }
};
const step = async () => (await status())?.step ?? -1;
const goesOn = async () => {
  const before = await step();
  await expect.poll(step, SLOW).toBeGreaterThan(before);
};

describe("kubectl apply -k", () => {
  it("starts a coordinator and its workers, which train", async () => {
    await kubectl("apply", "-k", scratch.file("overlays/s3"));
    for (const pod of ["plume-coordinator-0", "plume-worker-0", "plume-worker-1"])
      await expect.poll(pods, SLOW).toMatch(new RegExp(`^${pod} +1/1 +Running`, "m"));
    await goesOn();
  });

  it("shows its metrics where the annotations of the pods say", async () => {
    const metrics = async (pod: string) => {
      const port = await kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.annotations.prometheus\\.io/port}");
      return (await fetch(`http://${cluster.kubelet.ip(namespace, pod)}:${port}/metrics`)).text();
    };
    expect(await metrics("plume-coordinator-0")).toMatch(/^plume_step\{.*training_job="plume".*\} \d+$/m);
    expect(await metrics("plume-worker-0")).toContain('worker="plume-worker-0"');
  });

  it("shows its page through a port-forward, which comes from loopback in the pod, to whoever has the token", async () => {
    const ask = (path: string, token = "") => {
      const [url, headers] = [`http://localhost:7071${path}`, { authorization: `Bearer ${token}` }];
      const script = `fetch("${url}", ${JSON.stringify({ headers })}).then(async (a) => console.log(a.status, await a.text()))`;
      return cluster.kubelet.inside(namespace, "plume-coordinator-0", [process.execPath, "-e", script]);
    };
    expect(await ask("/")).toMatch(/^200 <!doctype html>/i);
    expect(await ask("/api/run")).toMatch(/^401 /);
    expect(await ask("/api/run", TOKEN)).toMatch(/^200 .*"plume"/);
  });

  it("runs with another number of workers when the set is scaled, and starts no process anew", async () => {
    const before = ["plume-coordinator-0", "plume-worker-0"].map(pidOf);
    await kubectl("scale", "statefulset/plume-worker", "--replicas=3");
    await expect.poll(async () => (await status())?.workers, SLOW).toBe(3);
    // A worker can be quicker than what the coordinator hears of its set.
    await expect.poll(async () => (await ctl("status")).desired, SLOW).toBe(3);
    await kubectl("scale", "statefulset/plume-worker", "--replicas=1");
    await expect.poll(async () => (await status())?.workers, SLOW).toBe(1);
    expect(["plume-coordinator-0", "plume-worker-0"].map(pidOf)).toEqual(before);
    await ctl("scale", "2");
    await expect.poll(replicas, SLOW).toBe("2");
  });

  it("gives its workers back in a pause, and takes them again afterwards", async () => {
    await ctl("pause");
    await expect.poll(replicas, SLOW).toBe("0");
    await expect.poll(pods, SLOW).not.toContain("plume-worker");
    await ctl("resume");
    await expect.poll(replicas, SLOW).toBe("2");
    await goesOn();
  });
});

describe("a run in a cluster goes on", () => {
  it("when the process of a worker is killed: the pod stays, the container is started again", async () => {
    cluster.kubelet.kill(namespace, "plume-worker-0", "SIGKILL");
    await expect.poll(pods, SLOW).toMatch(/^plume-worker-0 +1\/1 +Running +1/m);
    await goesOn();
  });

  it("when a worker's pod is deleted: one of the same name comes", async () => {
    await kubectl("delete", "pod", "plume-worker-1", "--wait=false");
    await expect.poll(pods, SLOW).toMatch(/^plume-worker-1 +1\/1 +Running +0 +\d{1,2}s$/m);
    await goesOn();
  });

  it("when the process of the coordinator is killed: from the run's folder", async () => {
    cluster.kubelet.kill(namespace, "plume-coordinator-0", "SIGKILL");
    await expect.poll(pods, SLOW).toMatch(/^plume-coordinator-0 +1\/1 +Running +1/m);
    await goesOn();
  });

  it("when the coordinator's pod is deleted, and its folder with it: from S3", async () => {
    await deletePods(kubectl, ["plume-coordinator-0"], "--grace-period=1");
    await goesOn();
  });

  it("when all pods are deleted at once", async () => {
    await deletePods(kubectl, ["--all"], "--grace-period=1");
    await goesOn();
  });

  it("when the job is edited: the coordinator begins anew, to the laptop's bits, and ends without a worker", async () => {
    const steps = (await step()) + 50;
    const expected = laptop(steps);
    writeJob(steps);
    await kubectl("apply", "-k", scratch.file("overlays/s3"));
    await expect.poll(async () => (await status())?.phase, { timeout: 150_000 }).toBe("Complete");
    const report: StatusReport = await ctl("status");
    expect([report.step, report.weightsSha256]).toEqual([steps, await expected]);
    await expect.poll(replicas, SLOW).toBe("0");
    await expect.poll(pods, SLOW).toMatch(/^plume-coordinator-0 +1\/1 +Running.*\n$/);
  }, 300_000);
});

describe("kubectl apply -k of the overlay dev", () => {
  it("keeps the run on a volume of the cluster: a coordinator's pod that is deleted is followed by one that goes on from there, to the laptop's bits", async () => {
    const steps = 40;
    const expected = laptop(steps);
    namespace = await cluster.namespace();
    writeFileSync(scratch.file("base/job.yaml"), `${jobText(steps)}  checkpoint: { everySteps: 5 }\n`);
    await kubectl("apply", "-k", scratch.file("overlays/dev"));
    await expect.poll(step, SLOW).toBeGreaterThan(15);
    await deletePods(kubectl, ["plume-coordinator-0"], "--grace-period=1");
    await expect.poll(async () => (await status())?.phase, SLOW).toBe("Complete");
    const { weightsSha256, incarnation } = await ctl("status");
    expect(incarnation).toBe(2);
    expect(weightsSha256).toBe(await expected);
    expect(await kubectl("get", "pvc", "--no-headers")).toMatch(/^run-plume-coordinator-0 +Bound/);
  }, 240_000);
});
