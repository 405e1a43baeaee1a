// A job's phase and its conditions, in words that `kubectl get` and `kubectl describe` show. Pure.

import { isOver } from "../../shared/bus/events.ts";
import type { JobPhase } from "../crd/status.ts";
import type { ConditionType, Verdict } from "./conditions.ts";
import { conditionOf, holds as holdsIn } from "./conditions.ts";
import { isOf, type Observed } from "./observed.ts";
import { isBarred, type Stage } from "./stage.ts";
import { commonTrouble, isReady, isRunning, type Trouble } from "./trouble.ts";

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

export function verdictsOf(stage: Stage, observed: Observed, crew: Crew): Verdicts {
  return {
    CoordinatorReady: coordinatorReady(stage, observed),
    WorkersReady: workersReady(stage, observed, crew),
    Progressing: progressing(stage, observed, crew),
    Scaling: scaling(stage, crew),
    Suspended: suspended(stage, observed),
    Invalid: stage.kind === "invalid" ? yes("Mistake", stage.message) : no("Valid", "the job file is right"),
    Complete: ended("Complete", stage),
    Failed: ended("Failed", stage),
  };
}

const GONE: ReadonlySet<Stage["kind"]> = new Set(["suspended", "ended"]);

function coordinatorReady(stage: Stage, { said, pods }: Observed): Verdict {
  if (said.kind === "answered") return yes("Answers", "the coordinator answers");
  if (GONE.has(stage.kind)) return no("NotNeeded", "it is not running, and need not be");
  if (said.kind === "silent") return no("Unreachable", said.reason);
  const coordinators = pods.filter((pod) => isOf(pod, "coordinator"));
  const trouble = commonTrouble(coordinators);
  if (trouble) return no(trouble.reason, trouble.message);
  if (coordinators.length === 0) return no("NoPod", "there is no pod of it yet");
  return no("NotRunning", "its pod is starting");
}

function workersReady(stage: Stage, { pods }: Observed, { ready, desired, min }: Crew): Verdict {
  if (GONE.has(stage.kind)) return no("NotNeeded", "they are not running, and need not be");
  const counted = `${ready} of ${desired} are ready, and ${min} are needed`;
  if (ready >= min) return yes("EnoughReady", counted);
  const trouble = commonTrouble(pods.filter((pod) => isOf(pod, "worker")));
  return trouble ? no(trouble.reason, `${counted}: ${trouble.message}`) : no("TooFewReady", counted);
}

function progressing(stage: Stage, observed: Observed, crew: Crew): Verdict {
  const { said, pods, refused } = observed;
  if (stage.kind === "invalid") return no("Invalid", stage.message);
  if (stage.kind === "taken") return no("NameTaken", stage.message);
  if (stage.kind === "clearing") return yes("Clearing", stage.message);
  if (stage.kind === "ended" || stage.kind === "ending") return no(stage.end.type, stage.end.message);
  if (stage.kind === "suspended" || stage.kind === "suspendable") return no("Suspended", stage.message);
  if (refused !== null) return no("Refused", refused);
  const trouble = troubleThatHalts(observed, crew);
  if (trouble) return no(trouble.reason, trouble.message);
  if (said.kind === "answered") {
    const { phase, reason } = said.report;
    return HALTED.has(phase) ? no(phase, reason) : yes(phase, reason || phase);
  }
  if (pods.some((pod) => isOf(pod, "coordinator") && isReady(pod)))
    return yes("Unknown", "the coordinator runs and cannot be asked");
  return yes("Starting", "the coordinator is starting");
}

/** Of the coordinator, or of so many workers that too few are left. */
function troubleThatHalts({ pods, said }: Observed, { ready, min }: Crew): Trouble | null {
  const ofCoordinator = said.kind === "answered" ? null : commonTrouble(pods.filter((pod) => isOf(pod, "coordinator")));
  if (ofCoordinator) return ofCoordinator;
  return ready < min ? commonTrouble(pods.filter((pod) => isOf(pod, "worker"))) : null;
}

function scaling(stage: Stage, { ready, replicas, desired }: Crew): Verdict {
  if (GONE.has(stage.kind) || isBarred(stage)) return no("NotRunning", "nothing runs");
  if (replicas > desired) return yes("Fewer", `from ${replicas} to ${desired} workers`);
  if (ready < desired) return yes("More", `${ready} of ${desired} workers are ready`);
  return no("AtSize", `${desired} workers`);
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
