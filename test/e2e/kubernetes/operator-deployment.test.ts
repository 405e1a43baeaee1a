// The operator as its users have it: pods of its own Deployment, run from the image's root file system with their account's token,
// for all namespaces and for one. Jobs are trained through it to the laptop's bits: on a volume of the cluster, and with
// certificates on every side.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { ROOT } from "../../../shared/root.ts";
import { readSummary } from "../../../shared/summary.ts";
import { PLUME_VERSION } from "../../../shared/version.ts";
import { authority } from "../../support/certificates.ts";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { installDiffusionJobs } from "../../support/kubernetes/custom-resources.ts";
import { plume, scratchFolder, tinyJob } from "../../support/plume.ts";

const SLOW = { timeout: 90_000 };
const STEPS = 40;
const CLUSTER_WIDE = join(ROOT, "k8s/overlays/operator-cluster-wide");
const scratch = scratchFolder();
let cluster: Cluster;
let digest: string;
let job: string;

beforeAll(async () => {
  job = tinyJob(scratch.path);
  digest = await laptop(STEPS);
  cluster = await startCluster({ images: { [`plume:${PLUME_VERSION}`]: await imageRootfs() }, egress: "16mbit" });
  await installDiffusionJobs(cluster.kubectl);
}, 240_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** @returns the digest of the weights of the same job on this machine. */
async function laptop(steps: number): Promise<string> {
  const out = scratch.file(`laptop-${steps}`);
  expect((await plume("train", "-f", job, "--out", out, "--steps", `${steps}`)).code).toBe(0);
  return readSummary(join(out, "summary.json")).weightsSha256;
}

const inside = (namespace: string) => {
  const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
  const get = async (what: string) => JSON.parse(await kubectl("get", what, "-o", "json"));
  return {
    kubectl,
    get,
    step: async (name: string): Promise<number> => (await get(`dj/${name}`)).status?.step ?? 0,
    complete: async (name: string) => {
      await kubectl("wait", "--for=condition=Complete", `dj/${name}`, "--timeout=120s");
      return (await get(`dj/${name}`)).status;
    },
    /** The pod that leads, by what it writes into the lease. */
    leader: async (): Promise<string> =>
      ((await get("lease/plume-operator")).spec.holderIdentity as string).split("_")[0]!,
    operators: async (): Promise<string[]> =>
      (await kubectl("get", "pods", "-l", "app.kubernetes.io/name=plume-operator", "-o", "name"))
        .split("\n")
        .filter(Boolean)
        .map((each) => each.replace("pod/", "")),
  };
};

/** The laptop's file, with another name and what its pods get. */
function jobOf(name: string, kubernetes: object, steps = STEPS): string {
  const { spec } = parse(readFileSync(job, "utf8"));
  return stringify({
    apiVersion: "plume.dev/v1alpha1",
    kind: "DiffusionJob",
    metadata: { name },
    spec: {
      ...spec,
      training: { ...spec.training, steps },
      workers: { replicas: 1, backend: "wasm" },
      kubernetes,
    },
  });
}

it("two pods of the operator for all namespaces: one leads, a rollout hands over, and a job in another namespace ends with the laptop's bits on its volume", async () => {
  await cluster.kubectl(["apply", "-k", CLUSTER_WIDE]);
  const system = inside("plume-system");
  await system.kubectl("rollout", "status", "deployment/plume-operator", "--timeout=90s");
  const before = await system.operators();
  expect(before).toHaveLength(2);
  await expect.poll(() => system.leader().catch(() => ""), SLOW).not.toBe("");
  expect(before).toContain(await system.leader());

  const namespace = await cluster.namespace();
  const there = inside(namespace);
  await cluster.kubectl(["-n", namespace, "apply", "-f", "-"], { input: jobOf("kept", { storage: "1Gi" }, 1_000_000) });
  await expect.poll(() => there.step("kept"), SLOW).toBeGreaterThan(0);
  const processes = () =>
    ["kept-coordinator-0", "kept-worker-0"].map((pod) => cluster.kubelet.processes(namespace, pod));
  const untouched = processes();
  await system.kubectl("rollout", "restart", "deployment/plume-operator");
  await system.kubectl("rollout", "status", "deployment/plume-operator", "--timeout=90s");
  await expect.poll(system.leader, SLOW).toSatisfy((leader: string) => leader !== "" && !before.includes(leader));
  await expect.poll(system.operators, SLOW).toHaveLength(2);
  expect(processes()).toEqual(untouched);

  // Its status is up to ten seconds old.
  const steps = (await there.step("kept")) + 200;
  const expected = laptop(steps);
  await cluster.kubectl(["-n", namespace, "apply", "-f", "-"], { input: jobOf("kept", { storage: "1Gi" }, steps) });
  expect(await there.complete("kept")).toMatchObject({
    phase: "Complete",
    step: steps,
    weightsSha256: await expected,
  });
  await expect.poll(() => there.kubectl("get", "pods", "-o", "name"), SLOW).toBe("");
  expect(await there.kubectl("get", "pvc")).toMatch(/^run-kept-coordinator-0 +Bound/m);
  await cluster.kubectl(["delete", "-k", CLUSTER_WIDE, "--timeout=60s"]);
}, 300_000);

it("the operator of one namespace asks the coordinator of a job with certificates by its certificate's name, and nobody else may ask", async () => {
  const namespace = await cluster.namespace();
  const { kubectl, complete } = inside(namespace);
  const { issue } = authority(scratch.file("authority"), "training");
  for (const [secret, names] of [
    ["secure-tls", "DNS:secure-coordinator"],
    ["plume-operator-tls", "DNS:plume-operator"],
  ] as const)
    await kubectl("create", "secret", "generic", secret, `--from-file=${issue(scratch.file(secret), { names })}`);
  // As a user writes it.
  cpSync(join(ROOT, "k8s/operator"), scratch.file("operator"), { recursive: true });
  mkdirSync(scratch.file("mine"));
  writeFileSync(
    scratch.file("mine", "kustomization.yaml"),
    `namespace: ${namespace}\nresources: [../operator]\ncomponents: [../operator/tls]\n`,
  );
  await kubectl("apply", "-k", scratch.file("mine"));
  await kubectl("rollout", "status", "deployment/plume-operator", "--timeout=90s");
  await cluster.kubectl(["-n", namespace, "apply", "-f", "-"], { input: jobOf("secure", { tls: "secure-tls" }) });
  expect(await complete("secure")).toMatchObject({ phase: "Complete", step: STEPS, weightsSha256: digest });

  // Its result is in its pod alone, so it goes on answering.
  const address = `${cluster.kubelet.ip(namespace, "secure-coordinator-0")}:7070`;
  const { code, stderr } = await plume("ctl", "status", "--address", address);
  expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(/TLS/)]);
  expect(code).not.toBe(0);
}, 300_000);
