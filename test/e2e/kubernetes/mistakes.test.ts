// Mistakes that no API server can see, and only the place tells: a bucket, a folder, a device. The job's status says what is
// wrong, with the field, the value and what to do. Everything real but the kubelet, which runs the pods as processes.

import { afterAll, beforeAll, expect, it } from "vitest";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { installOperator, startOperator, type TestOperator } from "../../support/kubernetes-operator.ts";
import { type S3Server, startS3Server } from "../../support/s3-server.ts";

let cluster: Cluster;
let s3: S3Server;
let operator: TestOperator;
let namespace: string;

const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);

const jobOf = (name: string, spec: Readonly<Record<string, object>>) =>
  JSON.stringify({
    apiVersion: "plume.dev/v1alpha1",
    kind: "DiffusionJob",
    metadata: { name },
    spec: {
      data: { source: "shapes:64", imageSize: 8 },
      workers: { replicas: 1, backend: "wasm" },
      ...spec,
      model: { channels: 4, channelMult: [1], groups: 4, ...spec.model },
    },
  });

interface Mistake {
  readonly name: string;
  /** Once the servers are there. */
  readonly spec: () => Readonly<Record<string, object>>;
  /** What its status must say of it. */
  readonly says: RegExp;
}

const MISTAKES: readonly Mistake[] = [
  {
    name: "no-folder",
    spec: () => ({ data: { source: "images:/data/cats", imageSize: 8 } }),
    says: /data\.source images:\/data\/cats: there is no \/data\/cats here\s+name what is .*in a cluster, what is in the pods' image/,
  },
  {
    name: "other-classes",
    spec: () => ({ model: { classes: 7 } }),
    says: /model\.classes is 7, but shapes:64 has 10 classes\s+set model\.classes to 10/,
  },
  {
    name: "no-bucket",
    spec: () => ({ checkpoint: { store: "s3://nowhere/runs" }, store: { endpoint: s3.endpoint } }),
    says: /has no bucket nowhere\s+create it \(aws s3 mb s3:\/\/nowhere\), or correct the URL or the endpoint/,
  },
  {
    name: "wrong-keys",
    spec: () => ({
      checkpoint: { store: `s3://${s3.bucket}/runs` },
      store: { endpoint: s3.endpoint },
      kubernetes: { secret: "wrong-keys" },
    }),
    says: /refuses the credentials \(SignatureDoesNotMatch\)\s+check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
  },
];

/** Of a cluster that has none. */
const ON_A_GPU = { kubernetes: { workers: { resources: { limits: { "nvidia.com/gpu": 1 } } } } };

beforeAll(async () => {
  cluster = await startCluster({ images: { "plume:0.1.0": await imageRootfs() } });
  s3 = await startS3Server(cluster.host);
  namespace = await cluster.namespace();
  await installOperator(cluster.kubectl, namespace);
  const keys = (env: Readonly<Record<string, string>>) =>
    Object.entries(env).map(([name, value]) => `--from-literal=${name}=${value}`);
  await kubectl("create", "secret", "generic", "plume-store", ...keys(s3.env));
  await kubectl(
    ...["create", "secret", "generic", "wrong-keys"],
    ...keys({ ...s3.env, AWS_SECRET_ACCESS_KEY: "another-secret-2718281828" }),
  );
  operator = await startOperator({ kubeconfig: cluster.kubeconfig, namespace });
  const jobs = [...MISTAKES.map(({ name, spec }) => jobOf(name, spec())), jobOf("no-gpu", ON_A_GPU)];
  await cluster.kubectl(["-n", namespace, "apply", "-f", "-"], { input: jobs.join("\n---\n") });
}, 240_000);

afterAll(async () => {
  await operator?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
});

const conditionOf = async (name: string, type: string) => {
  const { status } = JSON.parse(await kubectl("get", `dj/${name}`, "-o", "json"));
  return status.conditions.find((each: { type: string }) => each.type === type);
};

it.each(MISTAKES)("$name: the job has failed, and says what to do about it", async ({ name, says }) => {
  await kubectl("wait", `dj/${name}`, "--for=condition=Failed", "--timeout=100s");
  expect(await conditionOf(name, "Failed")).toMatchObject({ reason: "Mistake", message: expect.stringMatching(says) });
  expect(await kubectl("get", `dj/${name}`)).toMatch(new RegExp(`${name} +Failed `));
  await expect.poll(() => kubectl("get", "pods", "-o", "name")).not.toContain(`${name}-worker`);
});

it("no-gpu: the job waits, and says which resource no node has", async () => {
  const reason = '{.status.conditions[?(@.type=="WorkersReady")].reason}';
  await kubectl("wait", "dj/no-gpu", `--for=jsonpath=${reason}=Unschedulable`, "--timeout=100s");
  const says = expect.stringMatching(
    /pod no-gpu-worker-0: 0\/\d nodes are available: \d Insufficient nvidia\.com\/gpu/,
  );
  expect(await conditionOf("no-gpu", "WorkersReady")).toMatchObject({ status: "False", message: says });
  expect(await conditionOf("no-gpu", "Failed")).toMatchObject({ status: "False" });
  expect(await kubectl("get", "dj/no-gpu", "-o", "wide")).toContain("Insufficient nvidia.com/gpu");
});
