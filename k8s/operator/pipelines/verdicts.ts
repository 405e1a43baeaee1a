// What is told of a pipeline: its phase, its stages and its conditions, in words that `kubectl get` and `kubectl describe` show. Pure.

import type { StageState } from "../../../shared/stages/plan.ts";
import {
  type DiffusionPipelineStatus,
  PIPELINE_CONDITIONS,
  type PipelinePhase,
  type StageStatus,
} from "../../crd/pipeline-status.ts";
import { conditionOf, holds, nextConditions, type Verdict } from "../conditions.ts";
import type { JobEvent } from "../observed.ts";
import type { Observed, Reading } from "./decide.ts";

type Verdicts = Readonly<Record<(typeof PIPELINE_CONDITIONS)[number], Verdict>>;

const yes = (reason: string, message: string): Verdict => ({ holds: true, reason, message });
const no = (reason: string, message: string): Verdict => ({ holds: false, reason, message });

export function statusOf(nowMs: number, reading: Reading, observed: Observed): DiffusionPipelineStatus {
  const { metadata, status: before } = observed.pipeline;
  const generation = metadata.generation ?? 0;
  const verdicts = verdictsOf(reading, observed);
  const conditions = nextConditions(PIPELINE_CONDITIONS, nowMs, generation, before?.conditions ?? [], verdicts);
  const told = reading.kind === "valid" ? toldOf(reading.states, observed) : null;
  return { observedGeneration: generation, phase: phaseOf(verdicts, told?.stages ?? []), ...told, conditions };
}

function toldOf(states: readonly StageState[], { jobs }: Observed) {
  const stages = states.map((state): StageStatus => {
    const { name, job } = state.stage;
    const { weightsSha256, emaSha256 } = jobs.get(job.metadata.name)?.status ?? {};
    return {
      name,
      job: job.metadata.name,
      state: stateOf(state, jobs.has(job.metadata.name)),
      ...(weightsSha256 && { weightsSha256 }),
      ...(emaSha256 && { emaSha256 }),
    };
  });
  const done = states.filter(({ kind }) => kind === "done").length;
  const training = stages.filter(({ state }) => state === "Training").map(({ name }) => name);
  return {
    ...(training.length > 0 && { stage: training.join(", ") }),
    ...{ done, total: states.length, progress: `${done}/${states.length}`, stages },
  };
}

function stateOf({ kind }: StageState, hasJob: boolean): StageStatus["state"] {
  if (kind === "ready") return hasJob ? "Training" : "Ready";
  return kind === "done" ? "Done" : kind === "stale" ? "Stale" : "Blocked";
}

function phaseOf(verdicts: Verdicts, stages: readonly StageStatus[]): PipelinePhase {
  const end = (["Invalid", "Failed", "Stale", "Complete"] as const).find((type) => verdicts[type].holds);
  return end ?? (stages.some(({ state }) => state === "Training" || state === "Done") ? "Training" : "Pending");
}

function verdictsOf(reading: Reading, observed: Observed): Verdicts {
  if (reading.kind === "invalid") {
    const not = no("Invalid", "the pipeline is not right");
    return { Progressing: not, Stale: not, Invalid: yes("Mistake", reading.message), Complete: not, Failed: not };
  }
  const { states } = reading;
  const isDone = states.every(({ kind }) => kind === "done");
  const stale = staleOf(states, observed);
  const failed = failedOf(states, observed);
  return {
    Progressing: progressing(reading, observed, isDone, [...stale, ...failed]),
    Stale: stale.length > 0 ? yes("Changed", stale.join("\n")) : no("Current", "every stage is what the pipeline says"),
    Invalid: no("Valid", "the pipeline is right"),
    Complete: isDone
      ? yes("AllStages", `${states.length} of ${states.length} stages`)
      : no("NotDone", "some stage is not done"),
    Failed: failed.length > 0 ? yes("StageFailed", failed.join("\n")) : no("NotFailed", "no stage has failed"),
  };
}

function progressing(
  { states, strangers }: Reading & { readonly kind: "valid" },
  { refused }: Observed,
  isDone: boolean,
  troubles: readonly string[],
): Verdict {
  if (isDone) return no("Complete", "all stages are done");
  if (strangers.length > 0)
    return no(
      "NameTaken",
      `DiffusionJob ${strangers.join(", ")} is there and is not this pipeline's; delete it, or give the pipeline another name`,
    );
  if (refused !== null) return no("Refused", refused);
  const going = states.filter(({ kind }) => kind === "ready").map(({ stage }) => stage.name);
  if (going.length > 0) return yes("Training", `stage ${going.join(", ")}`);
  return no("Waits", troubles.join("\n"));
}

const staleOf = (states: readonly StageState[], { pipeline }: Observed): readonly string[] =>
  states.flatMap((state) =>
    state.kind === "stale"
      ? state.reasons.map(
          (reason) =>
            `stage ${state.stage.name}: ${reason}; put back what was, or give the stage another checkpoint.store and delete dj/${pipeline.metadata.name}-${state.stage.name}`,
        )
      : [],
  );

const failedOf = (states: readonly StageState[], { jobs }: Observed): readonly string[] =>
  states.flatMap(({ kind, stage }) => {
    const conditions = jobs.get(stage.job.metadata.name)?.status?.conditions;
    if (kind !== "ready" || !holds(conditions, "Failed")) return [];
    return [`stage ${stage.name}: ${conditionOf(conditions, "Failed")!.message}`];
  });

/** By what has changed in its status, so that an operator that begins again tells nothing twice. */
export function eventsOf(
  before: DiffusionPipelineStatus | undefined,
  { conditions }: DiffusionPipelineStatus,
): readonly JobEvent[] {
  return (conditions ?? []).flatMap(({ type, status, reason, message }) => {
    const old = conditionOf(before?.conditions, type);
    if (old?.status === status && old.reason === reason) return [];
    if (type === "Progressing") return WARNINGS.has(reason) ? [{ type: "Warning", reason, message }] : [];
    if (status !== "True") return [];
    return [{ type: type === "Complete" ? "Normal" : "Warning", reason: type, message }];
  });
}

/** Reasons for which no stage can begin that need somebody. */
const WARNINGS = new Set(["NameTaken", "Refused"]);
