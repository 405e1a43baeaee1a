// What to do about a job now. Pure: everything that is known goes in, actions, status and events come out.
//
// I1. An object that is as it should be costs no call. One that is not is applied whole, whoever changed it.
// I2. Nothing is deleted but old job files, pods that cannot go on by themselves, and the job itself at the end of its days.

import { driftOf } from "./drift.ts";
import { eventsOf } from "./events.ts";
import { heldEdit } from "./held.ts";
import { isOwnedBy, ownerOf } from "./job.ts";
import type { KubernetesObject, OwnerReference, Pod, StatefulSet } from "./objects.ts";
import {
  type Action,
  configMapsOf,
  type Decision,
  isOf,
  isSame,
  type JobEvent,
  type Observed,
  type OperatorOptions,
  setOf,
} from "./observed.ts";
import { outlivesPod } from "./outlives.ts";
import { decideRescue } from "./rescue.ts";
import { isBarred, type Stage, stageOf } from "./stage.ts";
import { decideWrite, statusOf } from "./status.ts";
import { isReady, isRunning } from "./trouble.ts";

const NOTHING: Decision = { actions: [], status: null, events: [], requeueAfterMs: null };

export function decide(nowMs: number, observed: Observed, options: OperatorOptions): Decision {
  const stage = stageOf(nowMs, observed, options.saveAgainMs);
  if (stage.kind === "deleting") return NOTHING;
  const expiry = expiryOf(nowMs, stage, observed);
  if (expiry?.kind === "due") return { ...NOTHING, ...expiry.decision };

  const status = statusOf(nowMs, stage, observed);
  const write = decideWrite(nowMs, observed.job.status, status, {
    writtenMs: observed.statusWrittenMs,
    everyMs: options.statusEveryMs,
  });
  const rescues = rescuesOf(nowMs, observed, options);
  const actions = [
    ...appliesOf(stage, observed),
    ...rescues.actions,
    ...replacementsOf(stage, observed),
    ...leftoversOf(stage, observed),
    ...(stage.kind === "suspending" && stage.ask ? [{ kind: "save" } as const] : []),
  ];
  return {
    actions,
    status: write.kind === "write" ? status : null,
    events: [...actions.flatMap((action) => eventOf(action)), ...eventsOf(observed.job.status, status)],
    requeueAfterMs: soonest(
      POLLED.has(stage.kind) ? options.pollMs : null,
      write.kind === "wait" ? write.againMs : null,
      rescues.againMs,
      expiry?.againMs ?? null,
    ),
  };
}

/** Stages that go on with something that no watch tells of. */
const POLLED: ReadonlySet<Stage["kind"]> = new Set([
  "clearing",
  "taken",
  "running",
  "suspending",
  "suspendable",
  "ending",
]);

function soonest(...delays: readonly (number | null)[]): number | null {
  const all = delays.filter((each) => each !== null);
  return all.length === 0 ? null : Math.min(...all);
}

/** How many pods each set should have where it is not as many as the job says. */
const AT_STAGE: Partial<Readonly<Record<Stage["kind"], { readonly coordinator?: 0; readonly worker: 0 }>>> = {
  ending: { worker: 0 },
  ended: { coordinator: 0, worker: 0 },
  suspended: { coordinator: 0, worker: 0 },
};
/** One that ended with its result in its pod alone goes on answering, and can be copied from, until the job is deleted. */
const coordinatorsAt = (stage: Stage, observed: Observed): 0 | undefined =>
  stage.kind === "ended" && !outlivesPod(observed) && (observed.job.status?.step ?? 0) > 0
    ? undefined
    : AT_STAGE[stage.kind]?.coordinator;

/** Every object of the job at this stage, as it should be. */
function wantedOf(stage: Stage, observed: Observed): readonly KubernetesObject[] {
  const { job, reading } = observed;
  if (reading.kind === "invalid" || isBarred(stage)) return [];
  const owner = ownerOf(job);
  // Until it is read back that it is suspended, its sets stay as they are: as they run, or not there at all.
  const objects = reading.objects.filter(({ kind }) => stage.kind !== "suspendable" || kind !== "StatefulSet");
  return objects.map((object) => {
    const owned = ownedBy(object, owner);
    const resting = isOf(object, "worker") ? AT_STAGE[stage.kind]?.worker : coordinatorsAt(stage, observed);
    if (object.kind !== "StatefulSet" || resting === undefined) return owned;
    return { ...owned, spec: { ...(object as StatefulSet).spec, replicas: resting } };
  });
}

/** The same object for the same one: most passes look at what the last one looked at, and compare nothing again (drift.ts). */
function ownedBy(object: KubernetesObject, owner: OwnerReference): KubernetesObject {
  const before = owned.get(object);
  if (before?.owner.uid === owner.uid) return before.owned;
  const made = { ...object, metadata: { ...object.metadata, ownerReferences: [owner] } };
  owned.set(object, { owner, owned: made });
  return made;
}

const owned = new WeakMap<KubernetesObject, { readonly owner: OwnerReference; readonly owned: KubernetesObject }>();

function appliesOf(stage: Stage, observed: Observed): Action[] {
  const held = heldEdit(observed) !== null;
  return wantedOf(stage, observed).flatMap((object): Action[] => {
    if (held && IN_PODS.has(object.kind)) return scalesOf(object, observed);
    const there = observed.children.find((child) => isSame(child, object));
    if (!there) return [{ kind: "apply", object, reason: "it is not there" }];
    if (there.metadata.deletionTimestamp) return []; // on its way out; the next pass makes it anew
    const drift = driftOf(object, there);
    return drift === null ? [] : [{ kind: "apply", object, reason: `${drift} differs` }];
  });
}

/** What an edit that waits is about. */
const IN_PODS: ReadonlySet<string> = new Set(["StatefulSet", "ConfigMap"]);

function scalesOf(object: KubernetesObject, { children }: Observed): Action[] {
  const there = children.find((child) => isSame(child, object)) as StatefulSet | undefined;
  const { replicas } = (object as StatefulSet).spec ?? {};
  if (object.kind !== "StatefulSet" || !there || replicas === undefined || replicas === there.spec.replicas) return [];
  return [{ kind: "scale", object, replicas, reason: `${there.spec.replicas} pods are to be ${replicas}` }];
}

function rescuesOf(nowMs: number, { pods, nodes }: Observed, options: OperatorOptions) {
  const decisions = pods.map((pod) => {
    const node = nodes.get(pod.spec.nodeName ?? "") ?? { kind: "unasked" };
    return { pod, decision: decideRescue(nowMs, pod, node, options) };
  });
  const actions = decisions.flatMap(({ pod, decision }) =>
    decision.kind === "rescue" ? [{ kind: "delete", object: pod, force: true, reason: decision.reason } as const] : [],
  );
  const waits = decisions.map(({ decision }) => (decision.kind === "wait" ? decision.againMs : null));
  return { actions, againMs: soonest(...waits) };
}

/**
 * A StatefulSet waits for its pod to become ready before it replaces it by one of a newer template; one that never will, would be
 * waited for for ever.
 */
function replacementsOf(stage: Stage, { pods, children }: Observed): Action[] {
  if (stage.kind !== "running") return [];
  const revision = setOf(children, "coordinator")?.status?.updateRevision;
  const isStuck = (pod: Pod) =>
    isOf(pod, "coordinator") &&
    !pod.metadata.deletionTimestamp &&
    !isReady(pod) &&
    !isRunning(pod) &&
    revision !== undefined &&
    pod.metadata.labels?.["controller-revision-hash"] !== revision;
  return pods
    .filter(isStuck)
    .map((object) => ({ kind: "delete", object, force: false, reason: "it is of an older job file" }) as const);
}

/** Job files that nothing mounts any more. */
function leftoversOf(stage: Stage, observed: Observed): Action[] {
  const { job, reading, children, pods } = observed;
  if (reading.kind === "invalid" || isBarred(stage)) return [];
  const templates = children.filter((child) => child.kind === "StatefulSet") as StatefulSet[];
  const inUse = new Set([
    ...pods.flatMap(({ spec }) => configMapsOf(spec)),
    ...templates.flatMap(({ spec }) => configMapsOf(spec.template.spec)),
  ]);
  return children
    .filter((child) => child.kind === "ConfigMap" && isOwnedBy(child, job.metadata.uid))
    .filter((child) => !inUse.has(child.metadata.name) && !reading.objects.some((object) => isSame(object, child)))
    .filter((child) => !child.metadata.deletionTimestamp)
    .map((object) => ({ kind: "delete", object, force: false, reason: "no pod mounts it any more" }) as const);
}

function eventOf(action: Action): JobEvent[] {
  if (action.kind === "save" || action.kind === "scale") return [];
  const { kind, name } = { kind: action.object.kind, name: action.object.metadata.name };
  if (action.kind === "delete" && action.force)
    return [{ type: "Warning", reason: "NodeLost", message: `pod ${name} was taken away by force: ${action.reason}` }];
  if (action.kind === "delete" && kind === "Pod")
    return [{ type: "Normal", reason: "Replaced", message: `pod ${name} was deleted: ${action.reason}` }];
  return [];
}

/** The days of a job that is over are counted, where it says so. */
function expiryOf(nowMs: number, stage: Stage, { job, reading }: Observed) {
  if (stage.kind !== "ended" || reading.kind === "invalid") return null;
  const { ttlSeconds } = reading.job.spec.kubernetes;
  if (ttlSeconds === undefined) return null;
  const leftMs = stage.sinceMs + ttlSeconds * 1000 - nowMs;
  if (leftMs > 0) return { kind: "later", againMs: leftMs } as const;
  const reason = `it ended more than ${ttlSeconds} s ago (kubernetes.ttlSeconds)`;
  const decision = { actions: [{ kind: "delete", object: job, force: false, reason } as const] };
  return { kind: "due", decision, againMs: 0 } as const;
}
