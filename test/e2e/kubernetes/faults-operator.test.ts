// An operator that dies at each call of everything that it does to a job after its launch (that one: operator.test.ts), and a job
// that is deleted at each call of its launch. A real API server with real controllers, and two real coordinators that the pods'
// addresses lead to: one that waits for workers, one whose run is over. Nobody starts the pods themselves.

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Api, type Call, createApi } from "../../../k8s/operator/api.ts";
import { collectionPath, type KindName } from "../../../k8s/operator/kinds.ts";
import type { KubernetesEvent, Pod, StatefulSet } from "../../../k8s/operator/objects.ts";
import { setOf } from "../../../k8s/operator/observed.ts";
import { askCoordinator } from "../../support/ask-coordinator.ts";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";
import { configOf, startOperator, type TestOperatorOptions } from "../../support/kubernetes-operator.ts";
import { eventually, jobText, objectsOfJob, openSite, type Site } from "../../support/kubernetes-site.ts";
import { bundledFile, plume, scratchFolder } from "../../support/plume.ts";
import { killed, pause } from "../../support/processes.ts";

const scratch = scratchFolder();
/** Addresses that only this process uses: the port of a coordinator is always the same. */
const NET = `127.${(process.pid >> 8) & 255 || 1}.${process.pid & 255}`;
const WAITS = `${NET}.1`;
const IS_OVER = `${NET}.2`;
const OBJECTS = 11;

let plane: ControlPlane;
/** A namespace for each story, by the first word of its jobs' names: their operators do not see one another's. */
const sites = new Map<string, Site>();
let api: Api;
const coordinators: ChildProcess[] = [];

beforeAll(async () => {
  const file = scratch.file("job.yaml");
  writeFileSync(
    file,
    jobText("tiny", { training: { steps: 1, globalBatch: 4, microBatch: 2 }, sampling: { count: 0 } }),
  );
  const trained = await plume("train", "-f", file, "--out", scratch.file(IS_OVER), "--workers", "1");
  if (trained.code !== 0) throw new Error(trained.stderr);
  const starting = [WAITS, IS_OVER].map((address) => startCoordinator(file, address));
  plane = await startControlPlane();
  await Promise.all(starting);
  for (const word of ["wide", "rests", "ends", "gone"]) sites.set(word, await openSite(plane));
  api = createApi({ config: configOf(plane.kubeconfig, null) });
}, 240_000);

afterAll(async () => {
  for (const child of coordinators) await killed(child);
  api?.close();
  await plane?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

async function startCoordinator(job: string, address: string): Promise<void> {
  const args = ["--job", job, "--out", scratch.file(address), "--listen", `${address}:7070`, "--linger"];
  const command = [await bundledFile("coordinator"), ...args];
  coordinators.push(spawn(process.execPath, command, { stdio: ["ignore", "ignore", "inherit"] }));
  const phase = async () => (await askCoordinator(`${address}:7070`))?.phase;
  while ((await phase()) !== (address === WAITS ? "Waiting" : "Complete")) await pause(100);
}

const siteOf = (name: string): Site => sites.get(name.split("-")[0]!)!;
const collectionOf = (kind: KindName, name: string) => collectionPath(kind, siteOf(name).namespace);
const pathOf = (name: string) => `${collectionOf("DiffusionJob", name)}/${name}`;
const create = (name: string, spec: object = {}) =>
  api.call({
    method: "POST",
    path: collectionOf("DiffusionJob", name),
    body: JSON.parse(jobText(name, spec)),
  });
const change = (name: string, spec: object) =>
  api.call({ method: "PATCH", path: pathOf(name), contentType: "application/merge-patch+json", body: { spec } });
/** What there is of a kind beside a job. */
const listOf = async <T>(kind: KindName, name: string, query = {}): Promise<readonly T[]> =>
  (await api.call<{ items: T[] }>({ method: "GET", path: collectionOf(kind, name), query })).items;
const podsOf = (name: string) => listOf<Pod>("Pod", name, { labelSelector: `app.kubernetes.io/instance=${name}` });

/** What can be seen of a job. */
async function look(name: string) {
  const job = await api.call<{ status?: { phase?: string; workers?: { replicas?: number } } }>({
    method: "GET",
    path: pathOf(name),
  });
  const objects = await objectsOfJob(api, siteOf(name).namespace, name);
  const sets = (["coordinator", "worker"] as const).map((component) => setOf(objects.map(withType), component));
  return {
    phase: job.status?.phase,
    workers: job.status?.workers?.replicas,
    replicas: sets.map((set) => set?.spec.replicas).join(),
    generations: sets.map((set) => set?.metadata.generation ?? 0),
    objects: objects.length,
    pods: (await podsOf(name)).length,
  };
}
type Look = Awaited<ReturnType<typeof look>>;
const withType = (object: { kind: string }) => object as StatefulSet;

/** As its kubelet would say it of the coordinator's pod: it runs, at this address. */
async function pose(name: string, ip: string): Promise<void> {
  const coordinator = `${name}-coordinator-0`;
  await eventually(async () =>
    expect((await podsOf(name)).map(({ metadata }) => metadata.name)).toContain(coordinator),
  );
  const running = { startedAt: new Date().toISOString() };
  const container = {
    name: "coordinator",
    image: "plume",
    imageID: "",
    ready: true,
    restartCount: 0,
    state: { running },
  };
  const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], containerStatuses: [container] };
  const path = `${collectionOf("Pod", name)}/${coordinator}/status`;
  await api.call({ method: "PATCH", path, contentType: "application/merge-patch+json", body: { status } });
}

interface Transition {
  readonly name: string;
  readonly begin: () => Promise<unknown>;
  /** What can be seen of it when it is over. */
  readonly end: Partial<Look>;
  /** How often the sets of coordinator and workers are changed on the way: once, whoever dies. */
  readonly changes: readonly [number, number];
}

const startDying = (name: string, diesAt: NonNullable<TestOperatorOptions["diesAt"]>) =>
  startOperator({ kubeconfig: plane.kubeconfig, namespace: siteOf(name).namespace, diesAt });

/** An operator that dies before this call. @returns false when it came to the end without. */
async function makeDying({ name, end }: Transition, call: number): Promise<boolean> {
  let dead = false;
  await using dying = await startDying(name, { call, when: "before" });
  void dying.death.then(() => {
    dead = true;
  });
  while (!dead) {
    const { length } = dying.calls;
    const isOver = matches(await look(name), end);
    await Promise.race([pause(isOver ? 1_500 : 50), dying.death]);
    if (isOver && !dead && dying.calls.length === length) return false;
  }
  return true;
}

const matches = (is: Look, wanted: Partial<Look>): boolean =>
  Object.entries(wanted).every(([key, value]) => is[key as keyof Look] === value);

/** Makes one transition with a death; the operator that follows ends it. @returns false when there was no such call. */
async function survives(transition: Transition, call: number): Promise<boolean> {
  const { name, begin, end, changes } = transition;
  const before = (await look(name)).generations;
  await begin();
  const died = await makeDying(transition, call);
  await using _ = await siteOf(name).operator();
  await eventually(async () => expect(await look(name)).toMatchObject({ ...end, objects: OBJECTS }));
  const after = (await look(name)).generations;
  expect(after.map((generation, i) => generation - before[i]!)).toEqual(changes);
  return died;
}

/**
 * A death before every call, until there is none more. To die before a call is to die after the one before it: whatever its
 * answer said is gone with the process. @returns how many deaths there were.
 */
async function deaths(next: (round: number) => Promise<Transition>): Promise<number> {
  let call = 0;
  while (await survives(await next(call), call)) call++;
  return call;
}

async function launched(name: string, ip: string, spec: object = {}): Promise<void> {
  await create(name, spec);
  await using _ = await siteOf(name).operator();
  await eventually(async () => expect(await look(name)).toMatchObject({ objects: OBJECTS, pods: 3 }));
  await pose(name, ip);
}

const STORE = { checkpoint: { store: "s3://bucket/prefix" } };

/** Each told once a time that it happened. */
async function expectTold(name: string, reason: string, times: number): Promise<void> {
  const events = (await listOf<KubernetesEvent & { reason: string; count: number }>("Event", name)).filter(
    (event) => event.involvedObject.name === name && event.reason === reason,
  );
  const told = events.reduce((sum, { count }) => sum + count, 0);
  expect(told).toBeGreaterThan(0);
  expect(told).toBeLessThanOrEqual(times);
}

it.concurrent("an operator may die at any call of a resize", async () => {
  await launched("wide", WAITS, STORE);
  const count = await deaths(async (call) => {
    const replicas = call % 2 === 0 ? 4 : 2;
    return {
      name: "wide",
      begin: () => change("wide", { workers: { replicas } }),
      end: { replicas: `1,${replicas}`, pods: 1 + replicas, workers: replicas },
      changes: [0, 1],
    };
  });
  expect(count).toBeGreaterThanOrEqual(3);
}, 300_000);

it.concurrent("an operator may die at any call of a suspension, and of what brings the job back", async () => {
  await launched("rests", WAITS, STORE);
  const suspension: Transition = {
    name: "rests",
    begin: () => change("rests", { suspend: true }),
    end: { phase: "Suspended", replicas: "0,0", pods: 0, workers: 0 },
    changes: [1, 1],
  };
  const resumption: Transition = {
    name: "rests",
    begin: () => change("rests", { suspend: false }),
    end: { phase: "Pending", replicas: "1,2", pods: 3, workers: 2 },
    changes: [1, 1],
  };
  /** Until both have no such call, the one that has none goes through without a death. */
  let counts = [0, 0];
  for (let call = 0, dead = [true, true]; dead[0] || dead[1]; call++) {
    dead = [await survives(suspension, call), await survives(resumption, call)];
    await pose("rests", WAITS);
    counts = counts.map((count, i) => count + Number(dead[i]));
  }
  expect(counts[0]).toBeGreaterThanOrEqual(6);
  expect(counts[1]).toBeGreaterThanOrEqual(4);
  const rounds = Math.max(...counts) + 1;
  await expectTold("rests", "Suspended", rounds);
  await expectTold("rests", "Resumed", rounds);
}, 300_000);

it.concurrent("an operator may die at any call of a job's end, and of its deletion after its days", async () => {
  await launched("ends", IS_OVER, STORE);
  const count = await deaths(async (call) => {
    if (call > 0) {
      const steps = 20 + call;
      await change("ends", { training: { steps } });
      await using _ = await siteOf("ends").operator();
      await eventually(async () =>
        expect(await look("ends")).toMatchObject({ replicas: "1,2", pods: 3, objects: OBJECTS }),
      );
      await pose("ends", IS_OVER);
    }
    return {
      name: "ends",
      begin: async () => {},
      end: { phase: "Complete", replicas: "0,0", pods: 0, workers: 0 },
      changes: [1, 1],
    };
  });
  expect(count).toBeGreaterThanOrEqual(5);
  await expectTold("ends", "Complete", count + 1);

  await change("ends", { kubernetes: { ttlSeconds: 0 } });
  const isDelete = ({ method, path }: Call) => method === "DELETE" && path === pathOf("ends");
  for (const when of ["before", "after"] as const) {
    await using dying = await startDying("ends", { call: 0, when });
    await dying.death;
    expect(dying.calls.map(isDelete)).toEqual([true]);
  }
  await using _ = await siteOf("ends").operator();
  await expectGone("ends");
}, 300_000);

async function expectGone(name: string): Promise<void> {
  const left = async () => [
    ...(await listOf<Pod>("DiffusionJob", name)).filter(({ metadata }) => metadata.name === name),
    ...(await objectsOfJob(api, siteOf(name).namespace, name)),
    ...(await podsOf(name)),
  ];
  await eventually(async () => expect((await left()).map(({ metadata }) => metadata.name)).toEqual([]));
}

it("a job may be deleted at any call of its launch, and nothing of it is left", async () => {
  /** Is it there? Make it; say so. */
  const calls = OBJECTS + OBJECTS + 2;
  const names = Array.from({ length: calls }, (_, call) => `gone-at-${call}-x`);
  const seen = new Map<string, number>();
  const onCall = async (call: Call) => {
    const name = names.find((each) => JSON.stringify([call.path, call.body]).includes(each));
    if (name === undefined) return;
    const at = seen.get(name) ?? 0;
    seen.set(name, at + 1);
    if (name === `gone-at-${at}-x`) await api.call({ method: "DELETE", path: pathOf(name) });
  };
  await using operator = await startOperator({
    kubeconfig: plane.kubeconfig,
    namespace: siteOf("gone").namespace,
    onCall,
  });
  await Promise.all(names.map((name) => create(name)));
  for (const name of names) await expectGone(name);
  expect([...seen.keys()].sort()).toEqual([...names].sort());
  const quiet = async () => {
    const before = operator.calls.length;
    await pause(1_000);
    return operator.calls.length - before;
  };
  await eventually(async () => expect(await quiet()).toBe(0));
});
