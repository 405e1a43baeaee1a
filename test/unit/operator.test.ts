// What the operator decides, from what it sees: every way of a job, with its reason.

import { describe, expect, it } from "vitest";
import { holds } from "../../k8s/operator/conditions.ts";
import { readJob } from "../../k8s/operator/desired.ts";
import { driftOf } from "../../k8s/operator/drift.ts";
import type { KubernetesObject, StatefulSet } from "../../k8s/operator/objects.ts";
import type { Observed } from "../../k8s/operator/observed.ts";
import { renderJob } from "../../k8s/render/render.ts";
import { readTemplates } from "../../k8s/render/templates.ts";
import {
  applied,
  COMPLETE,
  condition,
  diffusionJob,
  followed,
  fresh,
  NOW,
  OPTIONS,
  objectsOf,
  podOf,
  replicasOf,
  reportOf,
  running,
  see,
  waiting,
  written,
} from "../support/operator.ts";

type Spec = Readonly<Record<string, unknown>>;

const suspended = diffusionJob({ spec: { suspend: true } });
describe("launch", () => {
  it("applies exactly what plume render prints, and one owner more", () => {
    const observed = fresh();
    if (observed.reading.kind !== "valid") throw new Error(observed.reading.message);
    const rendered = renderJob(observed.reading.job, { namespace: "ns" });
    const made = objectsOf(see(observed).actions, "apply");
    const owners = made.map(({ metadata }) => metadata.ownerReferences);
    expect(made.map(({ metadata: { ownerReferences: _, ...metadata }, ...rest }) => ({ ...rest, metadata }))).toEqual(
      rendered,
    );
    for (const owner of owners)
      expect(owner).toEqual([expect.objectContaining({ kind: "DiffusionJob", uid: "uid-of-tiny", controller: true })]);
  });

  it("does nothing where everything is as it should be, but look again", () => {
    const decision = see(written(running()));
    expect(decision).toEqual({ actions: [], status: null, events: [], requeueAfterMs: OPTIONS.pollMs });
  });

  it("does nothing for a job that is being deleted: the garbage collector has it", () => {
    const decision = see(fresh(diffusionJob({ deleted: true })));
    expect(decision).toEqual({ actions: [], status: null, events: [], requeueAfterMs: null });
  });

  it("says Launched once", () => {
    const first = fresh();
    expect(see(first).events.map(({ reason }) => reason)).toEqual(["Launched"]);
    expect(see(written(first)).events).toEqual([]);
  });

  it("creates nothing for a job with a mistake, and says field, value and remedy", () => {
    const observed = fresh(diffusionJob({ spec: { training: { globalBatch: 8, microBatch: 3 } } }));
    const { actions, status, events } = see(observed);
    expect(actions).toEqual([]);
    expect(status?.phase).toBe("Invalid");
    expect(condition(observed, "Invalid")).toMatchObject({
      status: "True",
      message: expect.stringMatching(/training\.microBatch: 3 does not divide globalBatch 8.*for example 2/s),
    });
    expect(events).toEqual([expect.objectContaining({ type: "Warning", reason: "Invalid" })]);
  });

  it("leaves a running job alone when an edit makes it wrong, and goes on once it is right", () => {
    const wrong = diffusionJob({ spec: { training: { globalBatch: 8, microBatch: 3 } } });
    const observed: Observed = { ...running(), job: wrong, reading: readJob(wrong, readTemplates()) };
    expect(see(observed).actions).toEqual([]);
    const right = { ...written(observed), job: { ...running().job, status: written(observed).job.status! } };
    const { status, events } = see({ ...right, reading: running().reading });
    expect(holds(status?.conditions, "Invalid")).toBe(false);
    expect(events.map(({ reason }) => reason)).toContain("Valid");
  });
});

describe("objects of others", () => {
  const stranger = (change: (object: KubernetesObject) => KubernetesObject): Observed => {
    const observed = running();
    const children = observed.children.map((child) => (child.kind === "Service" ? change(child) : child));
    return { ...observed, children };
  };

  it("takes over nothing that is not plume's", () => {
    const observed = stranger(({ metadata, ...rest }) => ({
      ...rest,
      metadata: { name: metadata.name, namespace: "ns", uid: "theirs" },
    }));
    expect(see(observed).actions).toEqual([]);
    expect(condition(observed, "Progressing")).toMatchObject({ status: "False", reason: "NameTaken" });
  });

  it("takes over nothing that belongs to somebody else", () => {
    const owner = { apiVersion: "v1", kind: "Other", name: "x", uid: "y", controller: true };
    const observed = stranger((child) => ({ ...child, metadata: { ...child.metadata, ownerReferences: [owner] } }));
    expect(see(observed).actions).toEqual([]);
    expect(condition(observed, "Progressing")?.message).toContain("belongs to Other x");
  });

  it("waits for the objects of a deleted job of the same name to go", () => {
    const observed = stranger((child) => ({
      ...child,
      metadata: {
        ...child.metadata,
        ownerReferences: [{ ...child.metadata.ownerReferences![0]!, uid: "uid-of-the-one-before" }],
      },
    }));
    const { actions, requeueAfterMs } = see(observed);
    expect(actions).toEqual([]);
    expect(requeueAfterMs).toBe(OPTIONS.pollMs);
    expect(condition(observed, "Progressing")).toMatchObject({ status: "True", reason: "Clearing" });
  });

  it("adopts what was applied by hand, or was left behind", () => {
    const observed = stranger((child) => {
      const { ownerReferences: _, ...metadata } = child.metadata;
      return { ...child, metadata };
    });
    expect(objectsOf(see(observed).actions, "apply").map(({ kind }) => kind)).toEqual(["Service", "Service"]);
  });
});

describe("drift", () => {
  it("applies again what somebody changed, and says which field", () => {
    const observed = running();
    const children = observed.children.map((child) =>
      child.metadata.name === "tiny-worker" && child.kind === "StatefulSet"
        ? { ...child, spec: { ...(child as StatefulSet).spec, replicas: 7 } }
        : child,
    );
    const { actions } = see({ ...observed, children });
    expect(actions).toEqual([expect.objectContaining({ kind: "apply", reason: "spec.replicas differs" })]);
  });

  it("applies again what somebody deleted", () => {
    const observed = running();
    const children = observed.children.filter(({ kind }) => kind !== "Role");
    expect(objectsOf(see({ ...observed, children }).actions, "apply").map(({ kind }) => kind)).toEqual(["Role"]);
  });

  it("sees no difference in what the server filled in, in spellings of a quantity, or in what others added", () => {
    const wanted = {
      apiVersion: "v1",
      kind: "Any",
      metadata: { name: "a", labels: { x: "y" } },
      spec: { ports: [{ port: 1 }], memory: "1024Mi", cpu: 0.5, empty: {} },
    };
    const fieldsV1 = {
      "f:metadata": { "f:labels": { "f:x": {} } },
      "f:spec": {
        "f:ports": { 'k:{"port":1,"protocol":"TCP"}': { ".": {}, "f:port": {} } },
        "f:memory": {},
        "f:cpu": {},
      },
    };
    const is = {
      ...wanted,
      metadata: {
        name: "a",
        labels: { x: "y", theirs: "z" },
        managedFields: [{ manager: "plume-operator", operation: "Apply" as const, fieldsV1 }],
      },
      spec: { ports: [{ port: 1, protocol: "TCP" }, { port: 2 }], memory: "1Gi", cpu: "500m", other: 1 },
    };
    expect(driftOf(wanted, is)).toBeNull();
    expect(driftOf({ ...wanted, spec: { ...wanted.spec, memory: "2Gi" } } as KubernetesObject, is)).toBe("spec.memory");
    expect(driftOf({ ...wanted, spec: { ports: [{ port: 1 }], cpu: 0.5 } } as KubernetesObject, is)).toBe(
      "spec.memory",
    );
    const wider = { ...wanted, spec: { ...wanted.spec, ports: [{ port: 1 }, { port: 2 }] } };
    expect(driftOf(wider as KubernetesObject, is)).toBe("spec.ports");
  });

  it("deletes a job file once no pod mounts it", () => {
    const observed = running();
    const old = applied(
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "tiny-job-old", namespace: "ns" } },
      observed.job,
    );
    const unused = { ...observed, children: [...observed.children, old] };
    expect(objectsOf(see(unused).actions, "delete").map(({ metadata }) => metadata.name)).toEqual(["tiny-job-old"]);
    const pod = podOf(observed.children, "coordinator");
    const mounting = { ...pod, spec: { volumes: [{ name: "job", configMap: { name: "tiny-job-old" } }] } };
    expect(see({ ...unused, pods: [...observed.pods, mounting] }).actions).toEqual([]);
  });
});

describe("resize", () => {
  it("changes the replicas of the worker set and nothing else", () => {
    const wider = diffusionJob({ spec: { workers: { replicas: 4, max: 4 } } });
    const observed: Observed = { ...running(), job: wider, reading: readJob(wider, readTemplates()) };
    const { actions } = see(observed);
    expect(actions).toHaveLength(1);
    expect(replicasOf(actions)).toEqual({ "tiny-worker": 4 });
    expect(condition(observed, "Scaling")).toMatchObject({ status: "True", reason: "More" });
  });

  it("counts processes, several to a pod", () => {
    const job = diffusionJob({ spec: { workers: { replicas: 4, max: 4, perPod: 2 } } });
    expect(replicasOf(see(fresh(job)).actions)).toEqual({ "tiny-coordinator": 1, "tiny-worker": 2 });
  });
});

describe("suspend", () => {
  it("asks for a checkpoint, waits for it, writes it down, and only then takes the pods away", () => {
    const asking = { ...running(suspended) };
    expect(see(asking).actions).toEqual([{ kind: "save" }]);
    const pending: Observed = { ...written(asking), save: { kind: "pending" } };
    expect(see(pending).actions).toEqual([]);
    expect(see(pending).status).toBeNull();
    const checkpoint = { step: 7, url: "s3://b/p/step-000000007/", atMs: NOW };
    const saved: Observed = {
      ...pending,
      save: { kind: "saved", step: 7 },
      said: { kind: "answered", report: reportOf({ checkpoint }) },
    };
    expect(see(saved).actions).toEqual([]);
    expect(condition(saved, "Suspended")).toMatchObject({
      status: "True",
      reason: "CheckpointSaved",
      message: "step 7 in s3://b/p/step-000000007/",
    });
    const readBack = written(saved);
    expect(replicasOf(see(readBack).actions)).toEqual({ "tiny-coordinator": 0, "tiny-worker": 0 });
    expect(readBack.job.status?.phase).toBe("Suspended");
    const gone: Observed = { ...followed(readBack), pods: [], said: { kind: "unasked" }, save: { kind: "none" } };
    expect(see(gone).actions).toEqual([]);
    expect(condition(gone, "Suspended")).toMatchObject({ status: "True", reason: "CheckpointSaved" });
  });

  it("goes on, and says why, while the checkpoint fails, and asks again after a while", () => {
    const failing: Observed = { ...running(suspended), save: { kind: "failed", reason: "no bucket", atMs: NOW } };
    expect(see(failing).actions).toEqual([]);
    expect(condition(failing, "Suspended")).toMatchObject({
      status: "False",
      reason: "CheckpointFailed",
      message: "it goes on: no bucket",
    });
    expect(see(failing).events.map(({ reason }) => reason)).toContain("Launched");
    expect(see(failing, NOW + OPTIONS.saveAgainMs).actions).toEqual([{ kind: "save" }]);
  });

  it("goes on while the coordinator runs and cannot be asked", () => {
    const silent: Observed = { ...running(suspended), said: { kind: "silent", reason: "no answer" } };
    expect(see(silent).actions).toEqual([]);
    expect(condition(silent, "Suspended")).toMatchObject({ status: "False", reason: "CoordinatorUnreachable" });
  });

  it("starts nothing for a job that was suspended from the beginning", () => {
    const first = fresh(suspended);
    expect(replicasOf(see(first).actions)).toEqual({});
    expect(condition(first, "Suspended")).toMatchObject({ status: "True", reason: "NothingToSave" });
    expect(replicasOf(see(written(first)).actions)).toEqual({ "tiny-coordinator": 0, "tiny-worker": 0 });
  });

  it("needs no checkpoint of a coordinator that cannot start", () => {
    const observed = running(suspended);
    const pods = [waiting(observed.pods[0]!, "ImagePullBackOff", "no such image")];
    const stuck: Observed = { ...observed, pods, said: { kind: "unasked" } };
    expect(condition(stuck, "Suspended")).toMatchObject({
      status: "True",
      reason: "NothingToSave",
      message: expect.stringContaining("no such image"),
    });
  });

  it("starts both sets again when it is to go on", () => {
    const saved: Observed = { ...running(suspended), save: { kind: "saved", step: 7 } };
    const stopped = followed(written(saved));
    const on = { ...stopped, job: { ...diffusionJob(), status: stopped.job.status! }, save: { kind: "none" } as const };
    expect(replicasOf(see(on).actions)).toEqual({ "tiny-coordinator": 1, "tiny-worker": 2 });
    expect(condition(on, "Suspended")).toMatchObject({ status: "False", reason: "Resumed" });
    expect(see(on).events.map(({ reason }) => reason)).toContain("Resumed");
  });
});

describe("a job whose checkpoints are in its coordinator's pod", () => {
  it("keeps that pod at its end, so that the result can be had, until it is deleted", () => {
    const done = written(running(diffusionJob({ spec: { checkpoint: {} } }), COMPLETE));
    expect(replicasOf(see(done).actions)).toEqual({ "tiny-worker": 0 });
    expect(condition(done, "Complete")).toMatchObject({ status: "True" });
  });

  it.each([
    [{ checkpoint: {} }, "False", "NothingOutlivesPod"],
    [{ checkpoint: { store: "file:///runs" } }, "False", "NothingOutlivesPod"],
    [{ checkpoint: {}, kubernetes: { storage: "1Gi" } }, "True", "CheckpointSaved"],
  ])("is suspended only where they outlive it: %j", (spec, status, reason) => {
    const asked: Observed = {
      ...running(diffusionJob({ spec: { ...spec, suspend: true } })),
      save: { kind: "saved", step: 7 },
    };
    expect(condition(asked, "Suspended")).toMatchObject({ status, reason });
  });
});

describe("an edit of a job whose checkpoints are in its coordinator's pod", () => {
  const STORELESS = { checkpoint: {} };
  const MORE = { training: { steps: 40, globalBatch: 8, microBatch: 2 } };
  /** Trained for a while, then edited. */
  const edited = (before: Spec, change: Spec, report = {}): Observed => {
    const seen = written(running(diffusionJob({ spec: before }), report));
    const job = { ...diffusionJob({ spec: { ...before, ...change } }), status: seen.job.status! };
    return { ...seen, job, reading: readJob(job, readTemplates()) };
  };

  it.each([
    ["more steps", MORE],
    ["another image", { kubernetes: { image: "plume:other" } }],
    ["a volume for it", { kubernetes: { storage: "1Gi" } }],
    ["a store, which has nothing of it yet", { checkpoint: { store: "s3://bucket/tiny" } }],
  ])("waits, with a word on how to let it in: %s", (_, change) => {
    const observed = edited(STORELESS, change);
    expect(see(observed).actions).toEqual([]);
    expect(condition(observed, "Applied")).toMatchObject({
      status: "False",
      reason: "EditHeld",
      message: expect.stringMatching(/at step 5.*kubectl delete pod tiny-coordinator-0.*checkpoints cp/),
    });
    expect(condition(observed, "Progressing")).toMatchObject({ status: "True" });
    expect(see(observed).events.map(({ reason }) => reason)).toEqual(["EditHeld"]);
    expect(see(written(observed)).events).toEqual([]);
  });

  it("waits at its end, too, and does not begin again", () => {
    const observed = edited(STORELESS, MORE, COMPLETE);
    for (const said of [observed.said, { kind: "silent", reason: "gone" } as const]) {
      expect(see({ ...observed, said }).actions).toEqual([
        expect.objectContaining({
          kind: "scale",
          replicas: 0,
          object: expect.objectContaining({ kind: "StatefulSet" }),
        }),
      ]);
      expect(condition({ ...observed, said }, "Complete")).toMatchObject({ status: "True" });
    }
  });

  it("lets its workers be resized meanwhile", () => {
    const workers = { workers: { replicas: 4, max: 4 } };
    const { actions } = see(edited(STORELESS, { ...MORE, ...workers }));
    expect(actions).toEqual([expect.objectContaining({ kind: "scale", replicas: 4 })]);
  });

  it("goes in once somebody has deleted that pod, or where nothing would be lost", () => {
    const waiting = edited(STORELESS, MORE);
    const [coordinator, ...workers] = waiting.pods;
    const leaving = {
      ...coordinator!,
      metadata: { ...coordinator!.metadata, deletionTimestamp: "2026-01-01T00:05:00Z" },
    };
    const sets = (observed: Observed) => Object.keys(replicasOf(see(observed).actions));
    for (const observed of [
      { ...waiting, pods: [leaving, ...workers] },
      { ...waiting, pods: workers, said: { kind: "unasked" } as const },
      edited(STORELESS, MORE, { step: 0 }),
      edited({}, MORE),
      edited({ checkpoint: {}, kubernetes: { storage: "1Gi" } }, MORE),
    ]) {
      expect(sets(observed)).toContain("tiny-coordinator");
      expect(condition(observed, "Applied")).toMatchObject({ status: "True" });
    }
  });

  it("is no reason to suspend it: what counts is the file that the coordinator has", () => {
    const observed = edited(STORELESS, { checkpoint: { store: "s3://bucket/tiny" }, suspend: true });
    expect(condition(observed, "Suspended")).toMatchObject({ status: "False", reason: "NothingOutlivesPod" });
    expect(see(observed).actions).toEqual([]);
  });
});
