// A job's phase and its conditions, in words that `kubectl get` and `kubectl describe` show. Pure.

import { isOver } from "../../shared/bus/events.ts";
import type { JobPhase } from "../crd/status.ts";
import type { ConditionType, Verdict } from "./conditions.ts";
import { conditionOf, holds as holdsIn } from "./conditions.ts";
import { heldEdit } from "./held.ts";
import { type Component, isOf, type Observed, setOf } from "./observed.ts";
import { decideSilence } from "./silence.ts";
import { isBarred, type Stage } from "./stage.ts";
import { commonTrouble, isReady, isRunning, type Trouble, uncreatedTrouble } from "./trouble.ts";

/** How many worker processes there are. */
export interface Crew {
  /** In the cluster. */
  readonly replicas: number;
  readonly ready: number;
  /** Asked for, by whoever scaled the job. */
  readonly desired: number;
  readonly min: number;
}

type Verdicts = Readonly<Record<ConditionType, Verdict>>;

const yes = (reason: string, message: string): Verdict => ({ holds: true, reason, message });
const no = (reason: string, message: string): Verdict => ({ holds: false, reason, message });

/** Phases of a coordinator in which nothing goes on without somebody's help. */
const HALTED = new Set(["Paused"]);

export function verdictsOf(nowMs: number, stage: Stage, observed: Observed, crew: Crew): Verdicts {
  const troubles = troublesOf(observed);
  return {
    CoordinatorReady: coordinatorReady(nowMs, stage, observed, troubles),
    WorkersReady: workersReady(stage, crew, troubles),
    Progressing: progressing(stage, observed, crew, troubles),
    Scaling: scaling(stage, crew, troubles),
    Applied: applied(stage, observed),
    CheckpointsWritten: checkpointsWritten(observed),
    Suspended: suspended(stage, observed),
    Invalid: stage.kind === "invalid" ? yes("Mistake", stage.message) : no("Valid", "the job file is right"),
    Complete: ended("Complete", stage),
    Failed: ended("Failed", stage),
  };
}

const GONE: ReadonlySet<Stage["kind"]> = new Set(["suspended", "ended"]);

function coordinatorReady(nowMs: number, stage: Stage, observed: Observed, troubles: Troubles): Verdict {
  const { job, said, pods } = observed;
  if (said.kind === "answered") return yes("Answers", "the coordinator answers");
  if (GONE.has(stage.kind)) return no("NotNeeded", "it is not running, and need not be");
  const trouble = troubles.coordinator;
  if (trouble) return no(trouble.reason, trouble.message);
  const coordinators = pods.filter((pod) => isOf(pod, "coordinator"));
  if (said.kind === "silent") {
    const silence = decideSilence(nowMs, job, coordinators, said.reason);
    return no(silence.kind === "starting" ? "Starting" : "Unreachable", silence.reason);
  }
  if (coordinators.length === 0) return no("NoPod", "there is no pod of it yet");
  return no("NotRunning", "its pod is starting");
}

function workersReady(stage: Stage, { ready, desired, min }: Crew, { worker: trouble }: Troubles): Verdict {
  if (GONE.has(stage.kind)) return no("NotNeeded", "they are not running, and need not be");
  const counted = `${ready} of ${desired} are ready, and ${min} are needed`;
  if (ready >= min) return yes("EnoughReady", trouble && ready < desired ? `${counted}: ${trouble.message}` : counted);
  return trouble ? no(trouble.reason, `${counted}: ${trouble.message}`) : no("TooFewReady", counted);
}

function progressing(stage: Stage, observed: Observed, { ready, min }: Crew, troubles: Troubles): Verdict {
  const { said, pods, refused } = observed;
  if (stage.kind === "invalid") return no("Invalid", stage.message);
  if (stage.kind === "taken") return no("NameTaken", stage.message);
  if (stage.kind === "clearing") return yes("Clearing", stage.message);
  if (stage.kind === "ended" || stage.kind === "ending") return no(stage.end.type, stage.end.message);
  if (stage.kind === "suspended" || stage.kind === "suspendable") return no("Suspended", stage.message);
  if (refused !== null) return no("Refused", refused);
  // Of the coordinator, or of so many workers that too few are left.
  const trouble = troubles.coordinator ?? (ready < min ? troubles.worker : null);
  if (trouble) return no(trouble.reason, trouble.message);
  if (said.kind === "answered") {
    const { phase, reason } = said.report;
    return HALTED.has(phase) ? no(phase, reason) : yes(phase, reason || phase);
  }
  if (pods.some((pod) => isOf(pod, "coordinator") && isReady(pod)))
    return yes("Unknown", "the coordinator runs and cannot be asked");
  return yes("Starting", "the coordinator is starting");
}

type Troubles = Readonly<Record<Component, Trouble | null>>;

/** A coordinator that answers has none. */
const troublesOf = (observed: Observed): Troubles => ({
  coordinator: observed.said.kind === "answered" ? null : troubleWith("coordinator", observed),
  worker: troubleWith("worker", observed),
});

/** With the pods that there are, or with those that cannot be made. */
function troubleWith(component: Component, { job, pods, children, failures }: Observed): Trouble | null {
  const before = conditionOf(job.status?.conditions, "Progressing")?.reason;
  const those = pods.filter((pod) => isOf(pod, component));
  return commonTrouble(those, before) ?? uncreatedTrouble(setOf(children, component), those, failures);
}

function scaling(stage: Stage, { ready, replicas, desired }: Crew, { worker: trouble }: Troubles): Verdict {
  if (GONE.has(stage.kind) || isBarred(stage)) return no("NotRunning", "nothing runs");
  if (replicas > desired) return yes("Fewer", `from ${replicas} to ${desired} workers`);
  const counted = `${ready} of ${desired} workers are ready`;
  if (ready < desired) return yes("More", trouble ? `${counted}: ${trouble.message}` : counted);
  return no("AtSize", `${desired} workers`);
}

function applied(stage: Stage, observed: Observed): Verdict {
  if (stage.kind === "invalid") return no("Invalid", stage.message);
  if (stage.kind === "taken") return no("NameTaken", stage.message);
  if (stage.kind === "clearing") return no("Clearing", stage.message);
  if (observed.refused !== null) return no("Refused", observed.refused);
  const held = heldEdit(observed);
  return held === null ? yes("Applied", "its objects are as the job asks") : no("EditHeld", held);
}

function checkpointsWritten({ job, said }: Observed): Verdict {
  if (said.kind !== "answered") {
    const before = conditionOf(job.status?.conditions, "CheckpointsWritten");
    if (before) return { holds: before.status === "True", reason: before.reason, message: before.message };
    return no("NoneYet", "there is no checkpoint yet");
  }
  const { checkpoint, unsaved } = said.report;
  if (unsaved !== null)
    return no("CheckpointFailing", `training goes on, and the checkpoint is not written: ${unsaved}`);
  return checkpoint
    ? yes("Written", `step ${checkpoint.step} in ${checkpoint.url}`)
    : no("NoneYet", "there is no checkpoint yet");
}

function suspended(stage: Stage, { job }: Observed): Verdict {
  if (stage.kind === "suspended" || stage.kind === "suspendable") return yes(stage.reason, stage.message);
  if (stage.kind === "suspending") return no(stage.reason, stage.message);
  const before = conditionOf(job.status?.conditions, "Suspended");
  const resumed = before && (before.status === "True" || before.reason === "Resumed");
  return resumed ? no("Resumed", "it goes on") : no("NotSuspended", "nobody asked for it");
}

function ended(type: "Complete" | "Failed", stage: Stage): Verdict {
  if ((stage.kind === "ending" || stage.kind === "ended") && stage.end.type === type)
    return yes(stage.end.reason, stage.end.message);
  return no(
    type === "Complete" ? "NotComplete" : "NotFailed",
    type === "Complete" ? "steps are left" : "it has not failed",
  );
}

/** One word for the column PHASE. */
export function phaseOf(stage: Stage, observed: Observed): JobPhase {
  if (stage.kind === "invalid") return "Invalid";
  if (stage.kind === "ending" || stage.kind === "ended")
    return stage.end.reason === "Stopped" ? "Stopped" : stage.end.type;
  if (stage.kind === "suspended" || stage.kind === "suspendable") return "Suspended";
  if (stage.kind === "suspending" && stage.reason === "SavingCheckpoint") return "Suspending";
  const { said, pods, job } = observed;
  // One that says how it ended, and is not over, is about to be started again.
  if (said.kind === "answered") return isOver(said.report.phase) ? "Recovering" : said.report.phase;
  if (isBarred(stage) || !pods.some((pod) => isOf(pod, "coordinator") && isRunning(pod))) return "Pending";
  const hasTrained = (job.status?.step ?? 0) > 0 && !holdsIn(job.status?.conditions, "Suspended");
  return hasTrained ? "Recovering" : "Starting";
}
