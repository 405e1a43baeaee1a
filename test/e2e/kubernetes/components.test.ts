// Components and an example that run: base with a NATS server of its own and certificates on both sides, and workers as an Indexed
// Job. Each to the laptop's bits.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWire } from "../../../coordinator/cli/control/target.ts";
import type { ControlWire } from "../../../coordinator/cli/control/wire.ts";
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
const STEPS = 8;
const NATS_IMAGE = "nats:2.15.2-alpine";
const scratch = scratchFolder();
let cluster: Cluster;
let job: string;
let laptop: string;

beforeAll(async () => {
  job = tinyJob(scratch.path, "  workers: { min: 1, max: 4, replicas: 2, backend: wasm }\n");
  const out = scratch.file("laptop");
  const { code, stderr } = await plume("train", "-f", job, "--out", out, "--workers", "1");
  expect(code, stderr).toBe(0);
  laptop = readSummary(join(out, "summary.json")).weightsSha256;
  const images = { [`plume:${PLUME_VERSION}`]: await imageRootfs(), [NATS_IMAGE]: natsRootfs(scratch.file("nats")) };
  cluster = await startCluster({ images });
  await installCustomResources(cluster.kubectl, ["cert-manager.io", "kueue.x-k8s.io"]);
}, 240_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** An overlay as a user writes it, with the tiny job in the place of the one that is there. @returns its folder. */
function overlay(name: string, resources: readonly string[], components: readonly string[] = []): string {
  const folder = scratch.file(name);
  mkdirSync(folder);
  writeFileSync(join(folder, "job.yaml"), readFileSync(job, "utf8").replace("name: tiny", "name: plume"));
  const here = (path: string) => relative(folder, join(ROOT, "k8s", path));
  const kustomization = {
    resources: resources.map(here),
    components: components.map((each) => here(`components/${each}`)),
    configMapGenerator: [{ name: "plume-job", behavior: "replace", files: ["job.yaml"] }],
  };
  writeFileSync(join(folder, "kustomization.yaml"), JSON.stringify(kustomization));
  return folder;
}

/** As `plume ctl`, but without a process a question. */
async function through<T>(wire: Promise<ControlWire>, ask: (wire: ControlWire) => Promise<T>): Promise<T> {
  await using opened = await wire;
  return await ask(opened);
}
const statusOf = (wire: Promise<ControlWire>): Promise<StatusReport> => through(wire, (each) => each.ask("status", {}));

describe("base with the components nats and cert-manager", () => {
  let namespace: string;
  let ca: Authority;
  const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
  const pods = () => kubectl("get", "pods", "--no-headers");
  const ip = (pod: string) => cluster.kubelet.ip(namespace, pod);
  const nats = () => openWire({ nats: `nats://${ip("plume-nats-0")}:4222`, job: "plume", timeout: "10" }, undefined);
  /** Null while nobody answers. */
  const status = () => statusOf(nats()).catch(() => null);

  beforeAll(async () => {
    namespace = await cluster.namespace();
    ca = authority(scratch.file("ca"), "plume-ca");
    await kubectl("apply", "-k", overlay("tls", ["base"], ["nats", "cert-manager"]));
  });

  /** cert-manager's part, done by openssl: what a Certificate says becomes the Secret that it names. */
  const issue = async (certificate: string) => {
    const { spec } = JSON.parse(await kubectl("get", `certificate/${certificate}`, "-o", "json"));
    const names = [
      ...spec.dnsNames.map((name: string) => `DNS:${name}`),
      ...(spec.ipAddresses ?? []).map((address: string) => `IP:${address}`),
    ].join(",");
    const folder = ca.issue(scratch.file(spec.secretName), { names });
    await kubectl("create", "secret", "generic", spec.secretName, `--from-file=${folder}`);
  };

  it("waits for its certificates, is steered over NATS, and takes nobody without one", async () => {
    await expect.poll(pods, SLOW).toMatch(/^plume-nats-0 +1\/1 +Running/m);
    expect(await pods()).toMatch(/^plume-coordinator-0 +0\/1 +C/m);
    await issue("plume-coordinator");
    await expect.poll(status, SLOW).toMatchObject({ phase: "Waiting", workers: 0 });
    const plaintext = openWire({ address: `${ip("plume-coordinator-0")}:7070`, timeout: "10" }, undefined);
    await expect(statusOf(plaintext)).rejects.toThrow(/TLS/);
    // Whoever has one may, by a name that it has: as `kubectl exec` in the coordinator's pod does.
    const own = `PLUME_TLS=${scratch.file("plume-coordinator-tls")}`;
    const command = [process.execPath, join(ROOT, "coordinator/cli/plume.mjs"), "ctl", "status", "--json"];
    const inside = ["env", own, ...command, "--address", "localhost:7070"];
    const said = await cluster.kubelet.inside(namespace, "plume-coordinator-0", inside);
    expect(JSON.parse(said)).toMatchObject({ phase: "Waiting" });
  });

  it("ends with the laptop's bits once workers have theirs, and NATS has its events", async () => {
    expect(await pods()).toMatch(/^plume-worker-0 +0\/1 +C/m);
    await issue("plume-worker");
    await expect.poll(status, SLOW).toMatchObject({ phase: "Complete", step: STEPS, weightsSha256: laptop });
    const events = await through(nats(), async (wire) => {
      const all: StampedEvent["event"][] = [];
      for await (const { event } of wire.events(false, AbortSignal.timeout(60_000))) all.push(event);
      return all;
    });
    const joined = events.flatMap((each) =>
      each.kind === "worker" && each.change === "joined" ? [each.workerId] : [],
    );
    // Where the other one starts late, the first has done all of it.
    expect(joined[0]).toMatch(/^plume-worker-[01]$/);
    expect(events).toContainEqual(expect.objectContaining({ kind: "end", outcome: "complete" }));
  });
});

describe("the example kueue", () => {
  it("waits until it is admitted, is resized while it trains, and ends by itself with the laptop's bits", async () => {
    const namespace = await cluster.namespace();
    const kubectl = (...args: string[]) => cluster.kubectl(["-n", namespace, ...args]);
    const wire = async () => {
      const address = `${cluster.kubelet.ip(namespace, "plume-coordinator-0")}:7070`;
      return openWire({ address, timeout: "10" }, undefined);
    };
    const status = () => statusOf(wire()).catch(() => null);
    const patchJob = (spec: object) =>
      kubectl("patch", "job/plume-worker", "--type=merge", "-p", JSON.stringify({ spec }));

    await kubectl("apply", "-k", overlay("kueue", ["examples/kueue"]));
    await expect.poll(status, SLOW).toMatchObject({ phase: "Waiting", workers: 0 });
    expect(await kubectl("get", "pods", "-o", "name")).toBe("pod/plume-coordinator-0\n");

    // It shall not be done before it was resized.
    await through(wire(), (each) => each.ask("pause", {}));
    await patchJob({ suspend: false }); // as Kueue does
    await expect.poll(status, SLOW).toMatchObject({ workers: 2 });
    await patchJob({ parallelism: 3, completions: 3 });
    await expect.poll(status, SLOW).toMatchObject({ workers: 3 });
    await through(wire(), (each) => each.ask("resume", {}));

    await kubectl("wait", "job/plume-worker", "--for=condition=Complete", "--timeout=90s");
    expect(await status()).toMatchObject({ phase: "Complete", step: STEPS, weightsSha256: laptop });
  }, 180_000);
});
