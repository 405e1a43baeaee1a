// A DiffusionJob from `kubectl apply` to the laptop's bits: what is seen of it on the way, resized, suspended and resumed, and
// deleted. Everything real but the kubelet, which runs the pods as processes.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { readSummary } from "../../../shared/summary.ts";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { installOperator, startOperator, type TestOperator } from "../../support/kubernetes-operator.ts";
import { plume, scratchFolder, tinyJob } from "../../support/plume.ts";
import { type S3Server, startS3Server } from "../../support/s3-server.ts";

const STEPS = 400;
const scratch = scratchFolder();
let cluster: Cluster;
let s3: S3Server;
let operator: TestOperator;
let namespace: string;
let digest: string;
let job: string;

beforeAll(async () => {
  const workers = "  workers: { min: 1, max: 4, replicas: 1 }\n";
  job = tinyJob(scratch.path, workers);
  const out = scratch.file("laptop");
  expect((await plume("train", "-f", job, "--out", out, "--steps", `${STEPS}`)).code).toBe(0);
  digest = readSummary(join(out, "summary.json")).weightsSha256;
  cluster = await startCluster({ images: { "plume:0.1.0": await imageRootfs() } });
  s3 = await startS3Server(cluster.host);
  namespace = await cluster.namespace();
  await installOperator(cluster.kubectl, namespace);
  const keys = Object.entries(s3.env).map(([name, value]) => `--from-literal=${name}=${value}`);
  await kubectl("create", "secret", "generic", "plume-store", ...keys);
  operator = await startOperator({ kubeconfig: cluster.kubeconfig, namespace });
}, 240_000);

afterAll(async () => {
  await operator?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
const get = async (what: string) => JSON.parse(await kubectl("get", what, "-o", "json"));
const apply = (text: string) => cluster.kubectl(["-n", namespace, "apply", "-f", "-"], { input: text });
const processesOf = (pod: string) => cluster.kubelet.processes(namespace, pod);

/** The laptop's file, with another name, store and so many steps. */
function jobOf(name: string): string {
  const file = parse(readFileSync(job, "utf8"));
  const checkpoint = { store: `s3://${s3.bucket}/${name}`, everySteps: 100 };
  const spec = { ...file.spec, training: { ...file.spec.training, steps: STEPS }, checkpoint };
  return stringify({
    apiVersion: "plume.dev/v1alpha1",
    kind: "DiffusionJob",
    metadata: { name },
    spec: { ...spec, store: { endpoint: s3.endpoint } },
  });
}

const stepOf = async (name: string): Promise<number> => (await get(`dj/${name}`)).status?.step ?? 0;
const workersReady = async (name: string) => (await get(`dj/${name}`)).status?.workers?.ready;

async function expectComplete(name: string): Promise<void> {
  await kubectl("wait", "--for=condition=Complete", `dj/${name}`, "--timeout=120s");
  const { status } = await get(`dj/${name}`);
  expect(status).toMatchObject({ phase: "Complete", step: STEPS, weightsSha256: digest });
  await expect.poll(() => kubectl("get", "pods", "-l", `app.kubernetes.io/instance=${name}`, "-o", "name")).toBe("");
}

it("trains to the laptop's bits, is resized under way with its workers untouched, and leaves no pod", async () => {
  await apply(jobOf("grows"));
  await expect.poll(() => stepOf("grows"), { timeout: 60_000 }).toBeGreaterThan(0);
  const table = await kubectl("get", "dj/grows");
  expect(table).toMatch(/^NAME +PHASE +STEP .*ETA/);
  expect(table).toMatch(new RegExp(`grows +Training +\\d+/${STEPS} .* 1/1 `));
  const before = processesOf("grows-worker-0");
  const coordinator = processesOf("grows-coordinator-0");
  await kubectl("scale", "dj/grows", "--replicas=4");
  await expect.poll(() => workersReady("grows"), { timeout: 60_000 }).toBe(4);
  await kubectl("scale", "dj/grows", "--replicas=2");
  await expect.poll(() => workersReady("grows"), { timeout: 60_000 }).toBe(2);
  expect(processesOf("grows-worker-0")).toEqual(before);
  expect(processesOf("grows-coordinator-0")).toEqual(coordinator);
  await expectComplete("grows");
});

it("is suspended behind a durable checkpoint, gives everything back, and goes on from there to the same bits", async () => {
  await apply(jobOf("rests"));
  await expect.poll(() => stepOf("rests"), { timeout: 60_000 }).toBeGreaterThan(0);
  await kubectl("patch", "dj/rests", "--type=merge", "-p", '{"spec":{"suspend":true}}');
  await kubectl("wait", "--for=condition=Suspended", "dj/rests", "--timeout=60s");
  const { status } = await get("dj/rests");
  const suspended = status.conditions.find((each: { type: string }) => each.type === "Suspended");
  expect(suspended.reason).toBe("CheckpointSaved");
  expect(suspended.message).toMatch(/^step \d+ in s3:\/\/plume-test\/rests/);
  await expect.poll(() => kubectl("get", "pods", "-l", "app.kubernetes.io/instance=rests", "-o", "name")).toBe("");
  await kubectl("patch", "dj/rests", "--type=merge", "-p", '{"spec":{"suspend":false}}');
  await expectComplete("rests");
  expect(await kubectl("events", "--for", "diffusionjob/rests")).toMatch(/Suspended[\s\S]*Resumed[\s\S]*Complete/);
});

it("takes everything with it when it is deleted, but the checkpoints", async () => {
  await kubectl("delete", "dj", "--all");
  const kinds = "statefulset,configmap,service,serviceaccount,role,rolebinding,poddisruptionbudget,pod";
  await expect.poll(() => kubectl("get", kinds, "-l", "app.kubernetes.io/name=plume", "-o", "name")).toBe("");
  for (const name of ["grows", "rests"])
    expect(readdirSync(join(s3.folder, name)).some((entry) => entry.startsWith("step-"))).toBe(true);
});
