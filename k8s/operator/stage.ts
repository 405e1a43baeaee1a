// Where a job stands, from what is written in its status and what is seen now. Pure. Level-triggered: every pass begins here,
// whatever the last one did or did not get done.
//
// I1. Nothing is given up before it is written down: workers and coordinator are taken away only once the status *as it was
//     read back* says Suspended, Complete or Failed. An operator that dies in between is followed by one that knows.
// I2. An end counts for the job file that ended: another one (more steps, a mistake put right) begins again. One by a mistake
//     that was put right elsewhere (credentials, a bucket) is undone by suspending the job and resuming it.

import { KIND } from "../crd/object.ts";
import { INSTANCE, NAME, PLUME } from "../render/labels.ts";
import { conditionOf, holds } from "./conditions.ts";
import { heldEdit } from "./held.ts";
import { controllerOf, isOwnedBy } from "./job.ts";
import type { KubernetesObject } from "./objects.ts";
import { configMapsOf, isOf, isSame, type Observed, setOf } from "./observed.ts";
import { outlivesPod, WHY_NOT } from "./outlives.ts";
import { decideSilence } from "./silence.ts";
import { isRunning, mistakeOf, troubleOf } from "./trouble.ts";

export type Stage =
  /** It is being deleted: the garbage collector has it. */
  | { readonly kind: "deleting" }
  | { readonly kind: "invalid"; readonly message: string }
  /** Objects of its names are somebody else's. */
  | { readonly kind: "taken"; readonly message: string }
  /** Objects of a deleted job of the same name are still going. */
  | { readonly kind: "clearing"; readonly message: string }
  | { readonly kind: "running" }
  /** To be suspended, and not yet to be taken away. */
  | { readonly kind: "suspending"; readonly reason: string; readonly message: string; readonly ask: boolean }
  /** May be suspended; the next pass, which reads it in the status, takes everything away. */
  | { readonly kind: "suspendable"; readonly reason: string; readonly message: string }
  | { readonly kind: "suspended"; readonly reason: string; readonly message: string }
  /** It is over, and the status does not say so yet. */
  | { readonly kind: "ending"; readonly end: End }
  | { readonly kind: "ended"; readonly end: End; readonly sinceMs: number };

/** Reason of a failure that the job's own words, or what it stands on, are to blame for. */
const MISTAKE = "Mistake";

interface End {
  readonly type: "Complete" | "Failed";
  readonly reason: string;
  readonly message: string;
}

/** Nothing is applied: the job file has a mistake, or its names are not free. */
export const isBarred = ({ kind }: Stage): boolean => kind === "invalid" || kind === "taken" || kind === "clearing";

export function stageOf(nowMs: number, observed: Observed, saveAgainMs: number): Stage {
  const { job, reading } = observed;
  if (job.metadata.deletionTimestamp) return { kind: "deleting" };
  if (reading.kind === "invalid") return { kind: "invalid", message: reading.message };
  const foreign = reading.objects.flatMap((object) => strangerAt(object, observed))[0];
  if (foreign) return foreign;
  const ended = writtenEnd(observed);
  if (ended) return ended;
  const end = endSeen(observed);
  if (end) return { kind: "ending", end };
  return job.spec.suspend ? suspension(nowMs, observed, saveAgainMs) : { kind: "running" };
}

/** What stands where an object of the job belongs, and is not the job's. */
function strangerAt(object: KubernetesObject, { job, children }: Observed): Stage[] {
  const there = children.find((child) => isSame(child, object));
  if (!there || isOwnedBy(there, job.metadata.uid)) return [];
  const owner = controllerOf(there);
  const what = `${there.kind} ${there.metadata.name}`;
  if (owner?.kind === KIND && owner.name === job.metadata.name)
    return [{ kind: "clearing", message: `${what} of a deleted job of this name is still there` }];
  if (owner)
    return [{ kind: "taken", message: `${what} belongs to ${owner.kind} ${owner.name}; give the job another name` }];
  // Left behind by `kubectl delete --cascade=orphan`, or applied by hand from k8s/base: the same objects, without an owner.
  const labels = there.metadata.labels ?? {};
  if (labels[NAME] === PLUME && labels[INSTANCE] === job.metadata.name) return [];
  return [
    { kind: "taken", message: `${what} is there and is not plume's; give the job another name, or delete that object` },
  ];
}

function writtenEnd(observed: Observed): Stage | null {
  const { conditions } = observed.job.status ?? {};
  const type = (["Complete", "Failed"] as const).find((each) => holds(conditions, each));
  if (!type || (hasOtherFile(observed) && heldEdit(observed) === null)) return null;
  const { reason, message, lastTransitionTime } = conditionOf(conditions, type)!;
  if (reason === MISTAKE && observed.job.spec.suspend) return null;
  return { kind: "ended", end: { type, reason, message }, sinceMs: Date.parse(lastTransitionTime) };
}

/** The job file asked for is not the one that the coordinator was given. */
function hasOtherFile({ reading, children }: Observed): boolean {
  const is = setOf(children, "coordinator");
  const wanted = reading.kind === "valid" ? setOf(reading.objects, "coordinator") : undefined;
  if (!is || !wanted) return false;
  return fileOf(is.spec.template.spec) !== fileOf(wanted.spec.template.spec);
}

const fileOf = (spec: Parameters<typeof configMapsOf>[0]): string => configMapsOf(spec).join(" ");

const AFTER_MISTAKE =
  "once that is put right: apply the job again; where its file stays as it is, set suspend to true and then to false";

/** What the coordinator says at the end, or said when it exited. */
function endSeen(observed: Observed): End | null {
  const { said, pods } = observed;
  if (said.kind === "answered") {
    const { phase, reason, over } = said.report;
    // A coordinator that is about to be started again says for a moment how it ended, too.
    if (!over) return null;
    if (phase === "Complete") return { type: "Complete", reason: "AllSteps", message: reason };
    if (phase === "Stopped") return { type: "Failed", reason: "Stopped", message: `it was stopped: ${reason}` };
    return { type: "Failed", reason: "RunFailed", message: reason };
  }
  if (hasOtherFile(observed) || observed.job.spec.suspend) return null;
  const mistake = pods
    .filter((pod) => isOf(pod, "coordinator"))
    .map(mistakeOf)
    .find((each) => each !== null);
  return mistake === undefined ? null : { type: "Failed", reason: MISTAKE, message: `${mistake}\n${AFTER_MISTAKE}` };
}

/** A checkpoint first, then the pods. */
function suspension(nowMs: number, observed: Observed, saveAgainMs: number): Stage {
  const { job, said, save, pods } = observed;
  const written = conditionOf(job.status?.conditions, "Suspended");
  if (written?.status === "True") return { kind: "suspended", reason: written.reason, message: written.message };
  const idle = nothingToSave(observed);
  if (idle) return { kind: "suspendable", reason: "NothingToSave", message: idle };
  if (!outlivesPod(observed))
    return { kind: "suspending", reason: "NothingOutlivesPod", message: `it goes on: ${WHY_NOT}`, ask: false };
  if (save.kind === "saved") return { kind: "suspendable", reason: "CheckpointSaved", message: savedAt(observed) };
  if (save.kind === "pending")
    return { kind: "suspending", reason: "SavingCheckpoint", message: "its checkpoint is being written", ask: false };
  if (said.kind !== "answered") {
    const silence = said.kind === "silent" ? decideSilence(nowMs, job, pods, said.reason) : NOT_RUNNING;
    return {
      kind: "suspending",
      reason: silence.kind === "starting" ? "CoordinatorStarting" : "CoordinatorUnreachable",
      message: `it goes on until its coordinator can be asked for a checkpoint: ${silence.reason}`,
      ask: false,
    };
  }
  if (save.kind === "failed")
    return {
      kind: "suspending",
      reason: "CheckpointFailed",
      message: `it goes on: ${save.reason}`,
      ask: nowMs >= save.atMs + saveAgainMs,
    };
  return { kind: "suspending", reason: "SavingCheckpoint", message: "its checkpoint is asked for", ask: true };
}

const NOT_RUNNING = { kind: "starting", reason: "its pod does not run yet" } as const;

function savedAt({ save, said, reading }: Observed): string {
  const step = save.kind === "saved" ? save.step : 0;
  const newest = said.kind === "answered" ? said.report.checkpoint : null;
  if (newest?.step === step) return `step ${step} in ${newest.url}`;
  const store = reading.kind === "valid" ? reading.job.spec.checkpoint.store : undefined;
  return `step ${step}${store ? ` in ${store}` : ""}`;
}

/** @returns why nothing would be lost; null where something might. */
function nothingToSave(observed: Observed): string | null {
  const { pods, children, said, job } = observed;
  if (said.kind === "answered") return null;
  const coordinators = pods.filter((pod) => isOf(pod, "coordinator"));
  const before = job.status?.checkpoint;
  const last = before ? `; its newest checkpoint is of step ${before.step}` : "";
  const wanted = setOf(children, "coordinator")?.spec.replicas ?? 0;
  if (wanted === 0 && coordinators.length === 0) return `it was not running${last}`;
  if (before && !outlivesPod(observed)) return null; // it is in that pod
  const [trouble] = coordinators.map((pod) => troubleOf(pod, undefined)).filter((each) => each !== null);
  if (trouble && !coordinators.some(isRunning)) return `its coordinator was not running (${trouble.message})${last}`;
  return null;
}
