// Components and an example that run: base with a NATS server of its own and certificates on both sides, and workers as an Indexed
// Job. Each to the laptop's bits.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StampedEvent } from "../../../shared/bus/event-log.ts";
import type { StatusReport } from "../../../shared/control/verbs.ts";
import { ROOT } from "../../../shared/root.ts";
import { readSummary } from "../../../shared/summary.ts";
import { PLUME_VERSION } from "../../../shared/version.ts";
import { type Authority, authority } from "../../support/certificates.ts";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { installCustomResources } from "../../support/kubernetes/custom-resources.ts";
import { natsRootfs } from "../../support/kubernetes/nats-image.ts";
import { plume, scratchFolder, tinyJob } from "../../support/plume.ts";

const SLOW = { timeout: 90_000 };
const STEPS = 40;
const NATS_IMAGE = "nats:2.15.2-alpine";
const scratch = scratchFolder();
let cluster: Cluster;
let job: string;
let laptop: string;

beforeAll(async () => {
  job = tinyJob(scratch.path, "  workers: { min: 1, max: 4, replicas: 2, backend: wasm }\n");
  const out = scratch.file("laptop");
  const { code, stderr } = await plume("train", "-f", job, "--out", out, "--workers", "1", "--steps", `${STEPS}`);
  expect(code, stderr).toBe(0);
  laptop = readSummary(join(out, "summary.json")).weightsSha256;
  const images = { [`plume:${PLUME_VERSION}`]: await imageRootfs(), [NATS_IMAGE]: natsRootfs(scratch.file("nats")) };
  cluster = await startCluster({ images });
  await installCustomResources(cluster.kubectl);
}, 240_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** An overlay as a user writes it, with the tiny job in the place of the one that is there. @returns its folder. */
function overlay(
  name: string,
  kustomization: { resources: readonly string[]; components?: readonly string[] },
): string {
  const folder = scratch.file(name);
  mkdirSync(folder);
  const text = readFileSync(job, "utf8").replace("steps: 8", `steps: ${STEPS}`).replace("name: tiny", "name: plume");
  writeFileSync(join(folder, "job.yaml"), text);
  const here = (path: string) => relative(folder, join(ROOT, "k8s", path));
  const { resources, components = [], ...more } = kustomization;
  const generator = [{ name: "plume-job", behavior: "replace", files: ["job.yaml"] }];
  writeFileSync(
    join(folder, "kustomization.yaml"),
    JSON.stringify({
      resources: resources.map(here),
      components: components.map((each) => here(`components/${each}`)),
      configMapGenerator: generator,
      ...more,
    }),
  );
  return folder;
}

const ctl = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await plume("ctl", ...args, "--json");
  if (code !== 0) throw new Error(`${stdout}${stderr}`);
  return stdout;
};

describe("base with the components nats and cert-manager", () => {
  let namespace: string;
  let ca: Authority;
  const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
  const pods = () => kubectl("get", "pods", "--no-headers");
  const nats = () => ["--nats", `nats://${cluster.kubelet.ip(namespace, "plume-nats-0")}:4222`, "--job", "plume"];
  const status = async (): Promise<StatusReport | null> =>
    JSON.parse(await ctl("status", ...nats()).catch(() => "null"));

  beforeAll(async () => {
    namespace = await cluster.namespace();
    ca = authority(scratch.file("ca"), "plume-ca");
    await kubectl("apply", "-k", overlay("tls", { resources: ["base"], components: ["nats", "cert-manager"] }));
  });

  /** cert-manager's part, done by openssl: what a Certificate says becomes the Secret that it names. */
  const issue = async (certificate: string) => {
    const { spec } = JSON.parse(await kubectl("get", `certificate/${certificate}`, "-o", "json"));
    const names = [
      ...spec.dnsNames.map((name: string) => `DNS:${name}`),
      ...(spec.ipAddresses ?? []).map((ip: string) => `IP:${ip}`),
    ].join(",");
    const folder = ca.issue(scratch.file(spec.secretName), { names });
    await kubectl("create", "secret", "generic", spec.secretName, `--from-file=${folder}`);
  };

  it("waits for its certificates, is steered over NATS, and takes nobody without one", async () => {
    await expect.poll(pods, SLOW).toMatch(/^plume-nats-0 +1\/1 +Running/m);
    expect(await pods()).toMatch(/^plume-coordinator-0 +0\/1 +C/m);
    await issue("plume-coordinator");
    await expect.poll(status, SLOW).toMatchObject({ phase: "Waiting", workers: 0 });
    const address = `${cluster.kubelet.ip(namespace, "plume-coordinator-0")}:7070`;
    await expect(ctl("status", "--address", address)).rejects.toThrow(/PLUME_TLS/);
  });

  it("ends with the laptop's bits once workers have theirs, and NATS has its events", async () => {
    expect(await pods()).toMatch(/^plume-worker-0 +0\/1 +C/m);
    await issue("plume-worker");
    await expect.poll(async () => (await status())?.phase, SLOW).toBe("Complete");
    const { step, weightsSha256 } = (await status())!;
    expect([step, weightsSha256]).toEqual([STEPS, laptop]);
    const events = (await ctl("events", ...nats()))
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as StampedEvent).event);
    expect(new Set(events.flatMap((each) => (each.kind === "worker" ? [each.workerId] : [])))).toEqual(
      new Set(["plume-worker-0", "plume-worker-1"]),
    );
    expect(events.at(-1)).toMatchObject({ kind: "end", outcome: "complete" });
  });
});

describe("the example kueue", () => {
  let namespace: string;
  const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
  const command = async (...args: string[]) => {
    const address = `${cluster.kubelet.ip(namespace, "plume-coordinator-0")}:7070`;
    return JSON.parse(await ctl(...args, "--address", address));
  };
  const workers = async () => (await command("status").catch(() => null))?.workers;
  const patchJob = (spec: object) =>
    kubectl("patch", "job/plume-worker", "--type=merge", "-p", JSON.stringify({ spec }));

  it("waits until it is admitted, is resized while it trains, and ends by itself with the laptop's bits", async () => {
    namespace = await cluster.namespace();
    await kubectl("apply", "-k", overlay("kueue", { resources: ["examples/kueue"] }));
    await expect.poll(() => command("status").catch(() => null), SLOW).toMatchObject({ phase: "Waiting", workers: 0 });
    expect(await kubectl("get", "pods", "-o", "name")).toBe("pod/plume-coordinator-0\n");

    await command("pause"); // it shall not be done before it was resized
    await patchJob({ suspend: false }); // as Kueue does
    await expect.poll(workers, SLOW).toBe(2);
    await patchJob({ parallelism: 3, completions: 3 });
    await expect.poll(workers, SLOW).toBe(3);
    await command("resume");

    await kubectl("wait", "job/plume-worker", "--for=condition=Complete", "--timeout=90s");
    const { phase, step, weightsSha256 } = await command("status");
    expect([phase, step, weightsSha256]).toEqual(["Complete", STEPS, laptop]);
  }, 180_000);
});
