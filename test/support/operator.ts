// What the operator sees of a job, made by hand: for tests of its decisions.

import { decide } from "../../k8s/operator/decide.ts";
import { readJob } from "../../k8s/operator/desired.ts";
import { MANAGER } from "../../k8s/operator/drift.ts";
import { type DiffusionJob, ownerOf } from "../../k8s/operator/job.ts";
import type { FieldSet, KubernetesObject, Pod, StatefulSet } from "../../k8s/operator/objects.ts";
import {
  type Action,
  type Component,
  isSame,
  type Observed,
  type OperatorOptions,
} from "../../k8s/operator/observed.ts";
import { readTemplates } from "../../k8s/render/templates.ts";
import type { StatusReport } from "../../shared/control/verbs.ts";

export const NOW = Date.parse("2026-01-01T00:00:00Z");

export const OPTIONS: OperatorOptions = {
  statusEveryMs: 10_000,
  pollMs: 5_000,
  saveAgainMs: 30_000,
  stuckMs: 15_000,
  nodeGraceMs: 60_000,
};

/** Containers that run. */
export const STARTED = "2025-12-31T23:59:50Z";

const templates = readTemplates();

interface Wishes {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: DiffusionJob["status"];
  readonly deleted?: boolean;
}

export const diffusionJob = ({ spec = {}, status, deleted = false }: Wishes = {}): DiffusionJob => ({
  apiVersion: "plume.dev/v1alpha1",
  kind: "DiffusionJob",
  metadata: {
    name: "tiny",
    namespace: "ns",
    uid: "uid-of-tiny",
    resourceVersion: "7",
    generation: 1,
    ...(deleted && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  },
  spec: {
    data: { source: "shapes:512", imageSize: 8 },
    training: { steps: 20, globalBatch: 8, microBatch: 2 },
    workers: { replicas: 2, max: 4 },
    checkpoint: { store: "s3://bucket/tiny" },
    ...spec,
  },
  ...(status && { status }),
});

/** A job and everything of it as it should be, its pods running and its coordinator answering. */
export function running(job: DiffusionJob = diffusionJob(), report: Partial<StatusReport> = {}): Observed {
  const reading = readJob(job, templates);
  const children = reading.kind === "valid" ? reading.objects.map((object) => applied(object, job)) : [];
  return {
    job,
    reading,
    children,
    pods: [podOf(children, "coordinator"), podOf(children, "worker", 0), podOf(children, "worker", 1)],
    failures: [],
    nodes: new Map(),
    said: { kind: "answered", report: reportOf(report) },
    save: { kind: "none" },
    refused: null,
    statusWrittenMs: null,
  };
}

/** A job that nothing was done for yet. */
export const fresh = (job: DiffusionJob = diffusionJob()): Observed => ({
  ...running(job),
  children: [],
  pods: [],
  said: { kind: "unasked" },
});

export const reportOf = (report: Partial<StatusReport>): StatusReport => ({
  job: "tiny",
  phase: "Training",
  reason: "2 workers are ready",
  step: 5,
  steps: 20,
  loss: 0.5,
  imagesPerSecond: 10,
  etaSeconds: 12,
  workers: 2,
  members: [member("tiny-worker-0"), member("tiny-worker-1")],
  incarnation: 1,
  desired: 2,
  min: 1,
  max: 4,
  secondsByState: {},
  wallSeconds: 1,
  goodput: 1,
  saves: { written: 0, failed: 0, retried: 0, stallSeconds: 0, passedOver: 0 },
  recoveries: [],
  decisions: [],
  checkpoint: null,
  weightsSha256: null,
  emaSha256: null,
  unsaved: null,
  over: false,
  ...report,
});

export const member = (workerId: string): StatusReport["members"][number] => ({
  workerId,
  phase: "ready",
  device: "cpu",
  transport: "grpc",
  imagesPerSecond: 5,
  heartbeatAgeMs: 1,
  share: 0.5,
  suspect: "",
  queued: 0,
});

/** As the API server has it after the operator's apply. */
export function applied(object: KubernetesObject, job: DiffusionJob): KubernetesObject {
  const metadata = { ...object.metadata, uid: `uid-of-${object.kind}`, ownerReferences: [ownerOf(job)] };
  const { name: _, namespace: __, uid: ___, ...ownMetadata } = metadata;
  const { apiVersion: ____, kind: _____, ...rest } = object;
  const fieldsV1 = fieldsOf({ ...rest, metadata: ownMetadata });
  const managedFields = [{ manager: MANAGER, operation: "Apply" as const, fieldsV1 }];
  const is = { ...object, metadata: { ...metadata, managedFields } };
  if (object.kind !== "StatefulSet") return is;
  const { replicas = 0 } = (object as StatefulSet).spec;
  return { ...is, status: { replicas, readyReplicas: replicas, updateRevision: "one" } } as KubernetesObject;
}

/** Lists as a whole. */
function fieldsOf(value: unknown): FieldSet {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [`f:${name}`, fieldsOf(part)]));
}

export function podOf(children: readonly KubernetesObject[], component: Component, index = 0): Pod {
  const labels = {
    "app.kubernetes.io/name": "plume",
    "app.kubernetes.io/instance": "tiny",
    "app.kubernetes.io/component": component,
    "controller-revision-hash": "one",
  };
  const set = children.find(({ kind, metadata }) => kind === "StatefulSet" && metadata.name === `tiny-${component}`) as
    | StatefulSet
    | undefined;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `tiny-${component}-${index}`, namespace: "ns", uid: `uid-${component}-${index}`, labels },
    spec: { nodeName: "node-a", volumes: set?.spec.template.spec.volumes ?? [] },
    status: {
      phase: "Running",
      podIP: "10.1.0.1",
      conditions: [
        { type: "PodScheduled", status: "True" },
        { type: "Ready", status: "True" },
      ],
      containerStatuses: [{ name: component, state: { running: { startedAt: STARTED } } }],
    },
  };
}

/** The pod, waiting for something. */
export const waiting = (pod: Pod, reason: string, message: string, lastState = {}): Pod => ({
  ...pod,
  status: {
    ...pod.status,
    conditions: [
      { type: "PodScheduled", status: "True" },
      { type: "Ready", status: "False" },
    ],
    containerStatuses: [{ name: "any", state: { waiting: { reason, message } }, lastState }],
  },
});

export const see = (observed: Observed, at = NOW) => decide(at, observed, OPTIONS);
/** As they are written now, or stay. */
export const conditionsOf = (observed: Observed, at = NOW) =>
  (see(observed, at).status ?? observed.job.status)?.conditions ?? [];
export const condition = (observed: Observed, type: string, at = NOW) =>
  conditionsOf(observed, at).find((each) => each.type === type);

/** What the next pass sees after this one's status was written. */
export function written(observed: Observed, at = NOW): Observed {
  const { status } = see(observed, at);
  return { ...observed, job: { ...observed.job, ...(status && { status }) } as DiffusionJob, statusWrittenMs: at };
}

export const objectsOf = (actions: readonly Action[], kind: Action["kind"]): readonly KubernetesObject[] =>
  actions.flatMap((action) => (action.kind === kind && "object" in action ? [action.object] : []));

export const replicasOf = (actions: readonly Action[]): Record<string, number | undefined> =>
  Object.fromEntries(
    objectsOf(actions, "apply")
      .filter(({ kind }) => kind === "StatefulSet")
      .map((set) => [set.metadata.name, (set as StatefulSet).spec.replicas]),
  );

/** What a coordinator says whose run is over. */
export const COMPLETE = {
  phase: "Complete",
  reason: "20 of 20 steps",
  step: 20,
  weightsSha256: "ab".repeat(32),
  over: true,
} as const;

/** The sets as the operator wants them now, with their pods. */
export function followed(observed: Observed): Observed {
  const changed = objectsOf(see(observed).actions, "apply").map((object) => applied(object, observed.job));
  const rest = observed.children.filter((child) => !changed.some((each) => isSame(each, child)));
  return { ...observed, children: [...rest, ...changed] };
}
