// k8s/base on a real API server: `kubectl apply -k` of an overlay trains the job to the laptop's bits, whatever happens to its
// pods meanwhile, and leaves no worker running.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../../shared/root.ts";
import { readSummary } from "../../../shared/summary.ts";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { plume, scratchFolder, tinyJob } from "../../support/plume.ts";

const STEPS = 150;
const scratch = scratchFolder();
let cluster: Cluster;
let digest: string;
let namespace: string;

beforeAll(async () => {
  const job = tinyJob(scratch.path, `  workers: { min: 1, max: 4, replicas: 2 }\n`);
  const out = scratch.file("laptop");
  expect((await plume("train", "-f", job, "--out", out, "--steps", `${STEPS}`)).code).toBe(0);
  digest = readSummary(join(out, "summary.json"))!.weightsSha256;
  cluster = await startCluster({ images: { "plume:0.1.0": await imageRootfs() } });
  // An overlay as a user has it: base, and another job.yaml.
  cpSync(join(ROOT, "k8s/base"), scratch.file("base"), { recursive: true });
  mkdirSync(scratch.file("overlay"));
  const text = readFileSync(job, "utf8").replace("steps: 8", `steps: ${STEPS}`);
  writeFileSync(scratch.file("overlay", "job.yaml"), text.replace("name: tiny", "name: plume"));
  writeFileSync(
    scratch.file("overlay", "kustomization.yaml"),
    `resources: [../base]
configMapGenerator:
  - name: plume-job
    behavior: replace
    files: [job.yaml]
`,
  );
  namespace = await cluster.namespace();
}, 240_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
const status = async () => {
  const text = await kubectl("get", "pods", "-o", "wide");
  return text;
};

describe("kubectl apply -k", () => {
  it("starts one coordinator and the workers, all of them ready", async () => {
    await kubectl("apply", "-k", scratch.file("overlay"));
    await expect.poll(status, { timeout: 60_000 }).toMatch(/plume-coordinator-0 +1\/1 +Running/);
    await expect.poll(status, { timeout: 60_000 }).toMatch(/plume-worker-1 +1\/1 +Running/);
  });
});
