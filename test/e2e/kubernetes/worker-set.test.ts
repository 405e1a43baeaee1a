// What a coordinator does with its worker set, over a real API server, by the rights that the manifests give it. The run is a
// few numbers here; the worker set is a real one, whose pods nobody starts.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../coordinator/cluster/api.ts";
import { clusterObjects } from "../../../coordinator/cluster/objects.ts";
import {
  type ClusterSupervisor,
  createClusterSupervisor,
  type SupervisedRun,
} from "../../../coordinator/cluster/supervisor.ts";
import { createBus } from "../../../shared/bus/bus.ts";
import type { Logger } from "../../../shared/log.ts";
import { ROOT } from "../../../shared/root.ts";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";
import { installDiffusionJobs } from "../../support/kubernetes/custom-resources.ts";
import { scratchFolder } from "../../support/plume.ts";

let plane: ControlPlane;
let namespace: string;
const scratch = scratchFolder();
const kubectl = (...args: string[]) => plane.kubectl(["-n", namespace, ...args]);

beforeAll(async () => {
  plane = await startControlPlane();
  namespace = await plane.namespace();
  await kubectl("apply", "-k", join(ROOT, "k8s/base"));
});

afterAll(async () => {
  scratch[Symbol.dispose]();
  await plane?.[Symbol.asyncDispose]();
});

/** As the kubelet puts it into the coordinator's pod. */
async function apiOfPod(account = "plume-coordinator"): Promise<ClusterApi> {
  const folder = scratch.file(account);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "token"), await kubectl("create", "token", account));
  writeFileSync(join(folder, "ca.crt"), plane.credentials.ca);
  writeFileSync(join(folder, "namespace"), namespace);
  const { hostname, port } = new URL(plane.credentials.url);
  return openClusterApi(folder, { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port });
}

const NAMES = { set: "plume-worker", notes: "plume-state", perPod: 1 };

interface Told {
  desired: number;
  paused: string | null;
  over: ReturnType<SupervisedRun["over"]>;
  readonly reasons: string[];
  readonly warnings: string[];
}

/** A run's side of it, and a supervisor that has read the notes, as at the start of a process. */
async function supervised(told: Told): Promise<ClusterSupervisor> {
  const objects = clusterObjects(await apiOfPod(), NAMES);
  const found = await objects.readNotes();
  told.desired = found.workers ?? told.desired;
  told.paused = found.paused;
  const log = {
    info: () => {},
    warn: ({ reason }: { reason: string }) => void told.warnings.push(reason),
  } as unknown as Logger;
  const supervisor = createClusterSupervisor(objects, found);
  await supervisor.watch({
    incarnation: found.incarnation + 1,
    max: 8,
    over: () => told.over,
    resting: () => told.paused,
    desired: () => told.desired,
    paused: () => told.paused,
    adopt(workers, reason) {
      told.desired = workers;
      told.reasons.push(reason);
    },
    bus: createBus((error) => {
      throw error;
    }),
    log,
  });
  return supervisor;
}

const replicas = async () =>
  Number(await kubectl("get", "statefulset/plume-worker", "-o", "jsonpath={.spec.replicas}"));
const notes = async () => JSON.parse(await kubectl("get", "configmap/plume-state", "-o", "json")).data;
const run = (): Told => ({ desired: 7, paused: null, over: null, reasons: [], warnings: [] });

describe("a coordinator and its worker set", () => {
  it("follow each other: what is scaled outside, what is asked for inside, through pauses, other lives and the end", async () => {
    const told = run();
    {
      await using first = await supervised(told);
      await expect.poll(() => told.desired).toBe(2); // as it was applied
      await kubectl("scale", "statefulset/plume-worker", "--replicas=4");
      await expect.poll(() => told.desired).toBe(4);
      expect(told.reasons).toContain("it was scaled from 2 to 4");
      told.desired = 3; // plume ctl scale 3
      first.nudge();
      await expect.poll(replicas).toBe(3);
      await kubectl("scale", "statefulset/plume-worker", "--replicas=30");
      await expect.poll(() => told.desired).toBe(8);
      await expect.poll(replicas).toBe(8);
      told.desired = 3;
      first.nudge();
      await expect.poll(replicas).toBe(3);
      told.paused = "asked to pause";
      first.nudge();
      await expect.poll(replicas).toBe(0);
      await expect.poll(notes).toEqual({
        workers: "3",
        paused: "asked to pause",
        held: "the run is paused: asked to pause",
        incarnation: "1",
      });
    }
    // Another process, on another node, with an empty folder.
    const next = run();
    {
      await using second = await supervised(next);
      expect(next).toMatchObject({ desired: 3, paused: "asked to pause" });
      await kubectl("scale", "statefulset/plume-worker", "--replicas=2"); // held: it counts once the run goes on
      await expect.poll(() => next.desired).toBe(2);
      await expect.poll(replicas).toBe(0);
      next.paused = null; // plume ctl resume
      second.nudge();
      await expect.poll(replicas).toBe(2);
      await expect.poll(notes).toEqual({ workers: "2", incarnation: "2" });
      next.over = { phase: "Complete", reason: "8 of 8 steps" };
      second.nudge();
      await expect.poll(replicas).toBe(0);
      await kubectl("apply", "-k", join(ROOT, "k8s/base"));
      await expect.poll(async () => (await notes()).held).toMatch(/it was scaled to 2 meanwhile/);
      await expect.poll(replicas).toBe(0);
    }
    expect([...told.warnings, ...next.warnings]).toEqual([]);
  });

  it("go on when the API server was away, which is said once", async () => {
    const told = run();
    await using supervisor = await supervised(told);
    await expect.poll(replicas).toBe(2);
    await plane.apiServer.kill();
    told.desired = 4;
    supervisor.nudge();
    const once = [expect.stringMatching(/the cluster's API server cannot be reached/)];
    await expect.poll(() => told.warnings).toEqual(once);
    await plane.apiServer.start();
    await expect.poll(replicas).toBe(4);
    expect(told.warnings).toEqual(once);
  });
});

it("where a DiffusionJob owns the set, its number is read and changed, and the set is left to its operator", async () => {
  const told = run();
  await installDiffusionJobs(plane.kubectl);
  await kubectl("apply", "-f", join(ROOT, "k8s/base/job.yaml"));
  const uid = await kubectl("get", "diffusionjob/plume", "-o", "jsonpath={.metadata.uid}");
  const owner = { apiVersion: "plume.dev/v1alpha1", kind: "DiffusionJob", name: "plume", uid, controller: true };
  const patch = JSON.stringify({ metadata: { ownerReferences: [owner] } });
  await kubectl("scale", "diffusionjob/plume", "--replicas=5");
  await kubectl("scale", "statefulset/plume-worker", "--replicas=1"); // the operator is at it
  await kubectl("patch", "statefulset/plume-worker", "--type=merge", "-p", patch);
  await kubectl("patch", "configmap/plume-state", "--type=merge", "-p", '{"data": null}');

  await using supervisor = await supervised(told);
  await expect.poll(() => told.desired).toBe(5);
  told.desired = 6;
  supervisor.nudge();
  const asked = () => kubectl("get", "diffusionjob/plume", "-o", "jsonpath={.spec.workers.replicas}");
  await expect.poll(asked).toBe("6");
  told.paused = "asked to pause";
  supervisor.nudge();
  await expect.poll(async () => (await notes()).paused).toBe("asked to pause");
  expect(await notes()).not.toHaveProperty("held");
  expect(await replicas()).toBe(1);
  told.desired = 9; // past workers.max: the custom resource refuses it, and the run takes back what it asked for
  supervisor.nudge();
  await expect.poll(() => told.desired).toBe(6);
  expect(told.reasons.at(-1)).toMatch(/^9 workers are refused: .*replicas.*workers\.max/);
  expect(told.warnings).toEqual([]);
});

describe("the rights that the manifests give", () => {
  const may = async (account: string, verb: string, what: string, ...more: string[]) => {
    const as = `--as=system:serviceaccount:${namespace}:${account}`;
    const said = await kubectl("auth", "can-i", verb, what, as, ...more).catch((error: Error) => error.message);
    return !/(^|\n|: )no/.test(said);
  };

  it("are enough for a coordinator, and for nothing else", async () => {
    const coordinator = (verb: string, what: string, ...more: string[]) =>
      may("plume-coordinator", verb, what, ...more);
    expect(await coordinator("get", "statefulsets/plume-worker")).toBe(true);
    expect(await coordinator("patch", "statefulsets/plume-worker", "--subresource=scale")).toBe(true);
    expect(await coordinator("patch", "configmaps/plume-state")).toBe(true);
    for (const [verb, what, ...more] of [
      ["patch", "statefulsets/plume-worker"],
      ["patch", "statefulsets/plume-coordinator", "--subresource=scale"],
      ["list", "statefulsets"],
      ["get", "secrets/plume-store"],
      ["list", "secrets"],
      ["get", "pods"],
      ["delete", "pods"],
      ["create", "pods", "--subresource=exec"],
      ["patch", "configmaps/plume-job"],
      ["create", "configmaps"],
      ["get", "statefulsets/plume-worker", "-n", "default"],
    ] as const)
      expect([verb, what, await coordinator(verb, what, ...more)]).toEqual([verb, what, false]);
  });

  it("are none for a worker, whose pods do not even have a token", async () => {
    for (const [verb, what] of [
      ["get", "statefulsets/plume-worker"],
      ["get", "configmaps/plume-state"],
      ["get", "secrets/plume-store"],
    ] as const)
      expect([verb, what, await may("plume-worker", verb, what)]).toEqual([verb, what, false]);
    const pod = JSON.parse(await kubectl("get", "pod/plume-worker-0", "-o", "json"));
    expect(JSON.stringify(pod.spec.volumes)).not.toContain("serviceAccountToken");
  });

  it("are refused by name, with what to do, where they are missing", async () => {
    const api = await apiOfPod("plume-worker");
    const objects = clusterObjects(api, NAMES);
    await expect(objects.readSet()).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringMatching(/403 to GET .*statefulsets\/plume-worker: .*cannot get resource/),
      remedy: expect.stringContaining("k8s/base/access.yaml"),
    });
    const absent = clusterObjects(await apiOfPod(), { ...NAMES, notes: "plume-other" });
    await expect(absent.readNotes()).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  });
});

it("the pods of the base are admitted where only restricted ones are", async () => {
  const pods = () => kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}");
  await expect.poll(pods).toContain("plume-coordinator-0");
  await expect.poll(pods).toContain("plume-worker-0");
});
