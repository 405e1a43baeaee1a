// What a person reads of a job whose pods are not made, do not start, or do not answer: the reason in Kubernetes' own words, and what
// to do about it.

import { describe, expect, it } from "vitest";
import type { KubernetesEvent, Pod, StatefulSet } from "../../k8s/operator/objects.ts";
import { type Component, isOf, type Observed, setOf } from "../../k8s/operator/observed.ts";
import { remedyOf } from "../../k8s/operator/remedies.ts";
import {
  condition,
  diffusionJob,
  NOW,
  reportOf,
  running,
  STARTED,
  see,
  waiting,
  written,
} from "../support/operator.ts";

const unanswered = (observed: Observed, pods: readonly Pod[]): Observed => ({
  ...observed,
  pods,
  said: { kind: "unasked" },
});
const eventsOf = (observed: Observed, at = NOW) => see(observed, at).events.map(({ reason }) => reason);

describe("a pod that no node takes", () => {
  const unscheduled = (component: Component, message: string): Observed => {
    const observed = running();
    const pods = observed.pods
      .filter((pod) => isOf(pod, component))
      .map((pod) => ({
        ...pod,
        status: {
          phase: "Pending",
          conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }],
        },
      }));
    const children = observed.children.map((child) => ({ ...child, status: { replicas: 2, readyReplicas: 0 } }));
    return { ...unanswered(observed, pods), children };
  };

  it.each([
    ["worker", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", "offers nvidia.com/gpu .*kubernetes.workers"],
    [
      "coordinator",
      "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.",
      "kubernetes.coordinator.res",
    ],
    ["worker", "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.", "gpu in kubernetes.workers.tol"],
    ["worker", "1 node(s) didn't match Pod's node affinity/selector.", "kubernetes.workers.nodeSelector"],
    ["coordinator", "pod has unbound immediate PersistentVolumeClaims.", "StorageClass"],
  ] as const)("is told of with the scheduler's reason and a remedy: %s, %s", (component, said, remedy) => {
    const observed = unscheduled(component, said);
    expect(see(observed).status?.phase).toBe("Pending");
    const told = condition(observed, "Progressing");
    expect(told).toMatchObject({ status: "False", reason: "Unschedulable" });
    expect(told?.message).toContain(said);
    expect(told?.message).toMatch(new RegExp(`; .*${remedy}`));
  });

  it("is told of beside how many train, where enough do", () => {
    const observed = running(diffusionJob(), { members: reportOf({}).members.slice(0, 1) });
    const [late] = unscheduled("worker", "0/1 nodes are available: 1 Insufficient cpu.").pods;
    const short: Observed = { ...observed, pods: [...observed.pods.slice(0, 2), late!] };
    expect(condition(short, "Progressing")).toMatchObject({ status: "True", reason: "Training" });
    for (const type of ["WorkersReady", "Scaling"])
      expect(condition(short, type)).toMatchObject({
        status: "True",
        message: expect.stringMatching(/^1 of 2 .*Insufficient cpu/),
      });
  });
});

describe("a pod that does not start", () => {
  const stuck = (reason: string, message: string, last = {}): Observed => {
    const observed = running();
    return unanswered(observed, [waiting(observed.pods[0]!, reason, message, last)]);
  };

  it("shows that its image cannot be pulled as one trouble, whatever the kubelet is at", () => {
    for (const reason of ["ErrImagePull", "ImagePullBackOff"])
      expect(condition(stuck(reason, "no such image"), "Progressing")).toMatchObject({
        status: "False",
        reason: "ImagePullBackOff",
        message: `pod tiny-coordinator-0: ${reason}: no such image; correct kubernetes.image, or let the nodes pull it (imagePullSecrets of the pods' service accounts)`,
      });
  });

  it("shows exit code and last words of a command that fails, without the lines of its log", () => {
    const message =
      '..."},"msg":"opening"}\n{"level":50,"msg":"listening"}\nplume: the store is away\n  see to the server\n';
    const observed = stuck("CrashLoopBackOff", "back-off 20s", { terminated: { exitCode: 1, message } });
    expect(condition(observed, "Progressing")?.message).toBe(
      "pod tiny-coordinator-0: back-off 20s; it exited with code 1: plume: the store is away\n  see to the server",
    );
    const logged = stuck("CrashLoopBackOff", "back-off", { terminated: { exitCode: 1, message: '{"msg":"last"}\n' } });
    expect(condition(logged, "Progressing")?.message).toContain('exited with code 1: {"msg":"last"}');
  });

  it("says which memory to raise when it was killed for it", () => {
    const last = { terminated: { exitCode: 137, reason: "OOMKilled" } };
    expect(condition(stuck("CrashLoopBackOff", "back-off", last), "Progressing")?.message).toMatch(
      /code 137 \(OOMKilled\); raise memory in kubernetes\.coordinator\.resources$/,
    );
  });

  it("goes on being a crash loop while its container is tried again, and is over once it answers", () => {
    const last = { terminated: { exitCode: 127, message: "node: not found" } };
    const crashed = written(stuck("CrashLoopBackOff", "back-off 20s", last));
    const [pod] = crashed.pods;
    const containerStatuses = [{ name: "coordinator", state: { running: { startedAt: STARTED } }, lastState: last }];
    const tried = { ...crashed, pods: [{ ...pod!, status: { ...pod!.status, containerStatuses } }] };
    expect(condition(tried, "Progressing")).toMatchObject({ status: "False", reason: "CrashLoopBackOff" });
    expect(eventsOf(tried)).toEqual([]);
    const well: Observed = { ...tried, said: { kind: "answered", report: reportOf({}) } };
    expect(condition(well, "Progressing")).toMatchObject({ status: "True", reason: "Training" });
    const first = { ...tried, job: diffusionJob() }; // killed once, and nobody saw a loop
    expect(condition(first, "Progressing")).toMatchObject({ status: "True", reason: "Starting" });
  });
});

describe("a pod that admission refuses", () => {
  const refused = (said: string, { made = 1, about = "tiny-worker-1", gone = "tiny-worker-1" } = {}): Observed => {
    const observed = running();
    const children = observed.children.map((child) =>
      child.kind === "StatefulSet" && isOf(child, "worker")
        ? {
            ...child,
            metadata: { ...child.metadata, generation: 3, uid: "uid-of-workers" },
            status: { replicas: made, readyReplicas: made, observedGeneration: 3 },
          }
        : child,
    );
    const event: KubernetesEvent = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "one", namespace: "ns" },
      involvedObject: { kind: "StatefulSet", name: "tiny-worker", uid: "uid-of-workers" },
      message: `create Pod ${about} in StatefulSet tiny-worker failed error: pods "${about}" is forbidden: ${said}`,
      lastTimestamp: "2026-01-01T00:00:00Z",
    };
    const pods = observed.pods.filter(({ metadata }) => metadata.name !== gone);
    const report = reportOf({ members: [] });
    return { ...observed, children, pods, failures: [event], said: { kind: "answered", report } };
  };
  const QUOTA = "exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2";

  it.each([
    [QUOTA, /raise ResourceQuota small, or lower kubernetes\.workers\.resources or workers\.replicas/],
    ["failed quota: q: must specify limits.cpu for: worker", /ResourceQuota q counts limits\.cpu/],
    ['violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)', /take away what was added/],
    ["maximum cpu usage per Container is 500m, but limit is 1", /what the namespace's LimitRange allows/],
    ["must be less than or equal to memory limit of 1Gi", /set limits\.memory in kubernetes\.workers\.resources/],
    ["no PriorityClass with name vip was found", /create PriorityClass vip/],
  ])("is told of with the reason and a remedy: %s", (said, remedy) => {
    const told = condition(refused(said), "Progressing");
    expect(told).toMatchObject({ status: "False", reason: "FailedCreate" });
    expect(told?.message).toContain(
      `StatefulSet tiny-worker has 1 of 2 pods: pods "tiny-worker-1" is forbidden: ${said}`,
    );
    expect(told?.message).toMatch(remedy);
    expect(eventsOf(refused(said))).toContain("FailedCreate");
  });

  it("is no trouble any more once the pod is there, or the set has all its pods, or before it has been at it", () => {
    for (const over of [
      refused(QUOTA, { made: 2 }),
      refused(QUOTA, { gone: "tiny-worker-0" }),
      { ...refused(QUOTA), failures: [] },
    ])
      expect(condition(over, "WorkersReady")?.reason).toBe("TooFewReady");
    const early = refused(QUOTA);
    const set = setOf(early.children, "worker")!;
    const children = early.children.map((child) =>
      child === set ? ({ ...set, metadata: { ...set.metadata, generation: 4 } } satisfies StatefulSet) : child,
    );
    expect(condition({ ...early, children }, "WorkersReady")?.reason).toBe("TooFewReady");
  });
});

describe("a coordinator that does not answer", () => {
  const silent = (observed: Observed, change: (pod: Pod) => Pod = (pod) => pod): Observed => ({
    ...observed,
    pods: observed.pods.map((pod) => (isOf(pod, "coordinator") ? change(pod) : pod)),
    said: { kind: "silent", reason: "no answer" },
  });
  const notReady = (pod: Pod): Pod => ({
    ...pod,
    status: { ...pod.status, conditions: [{ type: "Ready", status: "False" }] },
  });
  const startedAt = (at: string) => (pod: Pod) => ({
    ...notReady(pod),
    status: {
      ...notReady(pod).status,
      containerStatuses: [{ name: "coordinator", state: { running: { startedAt: at } } }],
    },
  });

  it("starts, for all that anybody knows: no warning", () => {
    const observed = silent(running(), notReady);
    expect(condition(observed, "CoordinatorReady")).toMatchObject({ status: "False", reason: "Starting" });
    expect(eventsOf(observed)).toEqual(["Launched"]);
    const suspending = silent(running(diffusionJob({ spec: { suspend: true } })), notReady);
    expect(condition(suspending, "Suspended")).toMatchObject({ status: "False", reason: "CoordinatorStarting" });
    expect(eventsOf(suspending)).toEqual(["Launched"]);
  });

  it.each([
    ["had answered", written(running()), notReady, NOW + 1000],
    ["is ready by its own word", running(), (pod: Pod) => pod, NOW],
    ["has been starting for ten minutes", running(), notReady, NOW + 600_000],
  ])("is unreachable when it %s, which is warned of once", (_, observed, change, at) => {
    const gone = silent(observed, change);
    expect(condition(gone, "CoordinatorReady", at)).toMatchObject({
      reason: "Unreachable",
      message: expect.stringContaining("no answer"),
    });
    expect(eventsOf(gone, at)).toContain("CoordinatorUnreachable");
    expect(eventsOf(written(gone, at), at + 5000)).not.toContain("CoordinatorUnreachable");
    expect(condition(written(gone, at), "CoordinatorReady", at + 5000)?.reason).toBe("Unreachable");
  });

  it("starts anew in another life of its container", () => {
    const observed = silent(written(running()), startedAt("2026-01-01T00:00:30Z"));
    expect(condition(observed, "CoordinatorReady", NOW + 31_000)?.reason).toBe("Starting");
    expect(eventsOf(observed, NOW + 31_000)).not.toContain("CoordinatorUnreachable");
  });
});

describe("checkpoints", () => {
  const saying = (observed: Observed, report: Parameters<typeof reportOf>[0]): Observed => ({
    ...observed,
    said: { kind: "answered", report: reportOf(report) },
  });
  const checkpoint = { step: 5, url: "s3://b/p/step-000000005/", atMs: NOW };

  it("that the store refuses are told of with its words, and once more when it takes them", () => {
    const none = written(running());
    expect(condition(none, "CheckpointsWritten")).toMatchObject({ status: "False", reason: "NoneYet" });
    const failing = saying(none, { unsaved: "step 10: http://s3 refuses the credentials (AccessDenied)" });
    expect(condition(failing, "CheckpointsWritten")).toMatchObject({
      status: "False",
      reason: "CheckpointFailing",
      message: expect.stringContaining("step 10: http://s3 refuses the credentials (AccessDenied)"),
    });
    expect(eventsOf(failing)).toEqual(["CheckpointFailing"]);
    const mended = saying(written(failing), { checkpoint });
    expect(condition(mended, "CheckpointsWritten")).toMatchObject({
      status: "True",
      message: `step 5 in ${checkpoint.url}`,
    });
    expect(eventsOf(mended)).toEqual(["CheckpointsWritten"]);
    const silent: Observed = { ...written(mended), said: { kind: "unasked" } };
    expect(condition(silent, "CheckpointsWritten")).toMatchObject({ status: "True", reason: "Written" });
  });
});

it("has no remedy for what it does not know", () => {
  expect(remedyOf("the cat has the cable", "worker")).toBeNull();
});
