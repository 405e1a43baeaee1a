// The status of a job: what is seen, and of what cannot be seen now the last that was. Pure.

import type { StatusReport } from "../../shared/control/verbs.ts";
import { CONDITION_TYPES, columnsOf, type DiffusionJobStatus } from "../crd/status.ts";
import { COMPONENT, INSTANCE, NAME, PLUME } from "../render/labels.ts";
import { nextConditions, timeText } from "./conditions.ts";
import { type Observed, setOf } from "./observed.ts";
import type { Stage } from "./stage.ts";
import { type Crew, phaseOf, verdictsOf } from "./verdicts.ts";

export function statusOf(nowMs: number, stage: Stage, observed: Observed): DiffusionJobStatus {
  const { job, said } = observed;
  const before: DiffusionJobStatus = job.status ?? {};
  const generation = job.metadata.generation ?? 0;
  const crew = crewOf(stage, observed);
  const { replicas, ready, desired } = crew;
  const { name } = job.metadata;
  const selector = `${NAME}=${PLUME},${INSTANCE}=${name},${COMPONENT}=worker`;
  const told = said.kind === "answered" ? numbersOf(said.report, before) : kept(before);
  const status: DiffusionJobStatus = {
    observedGeneration: generation,
    phase: phaseOf(stage, observed),
    ...(GOING.has(stage.kind) ? told : atRest(told)),
    workers: { replicas, ready, desired, selector },
    conditions: nextConditions(
      CONDITION_TYPES,
      nowMs,
      generation,
      before.conditions ?? [],
      verdictsOf(nowMs, stage, observed, crew),
    ),
  };
  return { ...status, columns: columnsOf(status) };
}

/** Where nothing is computed there is no speed, and no end to wait for. */
function atRest({ samplesPerSecond: _, etaSeconds: __, ...told }: Told): Told {
  return told;
}

const GOING: ReadonlySet<Stage["kind"]> = new Set(["running", "suspending"]);

type Told = Pick<
  DiffusionJobStatus,
  "step" | "steps" | "loss" | "samplesPerSecond" | "etaSeconds" | "checkpoint" | "weightsSha256" | "emaSha256"
>;

function numbersOf(report: StatusReport, before: DiffusionJobStatus): Told {
  const { step, steps, loss, imagesPerSecond, etaSeconds, checkpoint, weightsSha256, emaSha256 } = report;
  // Of a checkpoint of an earlier coordinator the time is not told: it is the one that was written down then.
  const newest = checkpoint?.atMs ? { ...checkpoint, time: timeText(checkpoint.atMs) } : before.checkpoint;
  return {
    step,
    steps,
    ...(Number.isFinite(loss) && { loss: rounded(loss, 6) }),
    samplesPerSecond: rounded(imagesPerSecond, 1),
    // Before the first step is timed, nobody knows.
    ...(imagesPerSecond > 0 && { etaSeconds: Math.round(etaSeconds) }),
    ...(newest && { checkpoint: { step: newest.step, time: newest.time, ...(newest.url && { url: newest.url }) } }),
    ...(weightsSha256 && { weightsSha256 }),
    ...(emaSha256 && { emaSha256 }),
  };
}

function kept({
  step,
  steps,
  loss,
  samplesPerSecond,
  etaSeconds,
  checkpoint,
  weightsSha256,
  emaSha256,
}: DiffusionJobStatus): Told {
  const all = { step, steps, loss, samplesPerSecond, etaSeconds, checkpoint, weightsSha256, emaSha256 };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

function crewOf(stage: Stage, { job, reading, children, said }: Observed): Crew {
  const spec = reading.kind === "valid" ? reading.job.spec.workers : null;
  const perPod = spec?.perPod ?? 1;
  const set = setOf(children, "worker");
  const inPods = (set?.status?.readyReplicas ?? 0) * perPod;
  const members = said.kind === "answered" ? said.report.members.filter(({ phase }) => phase === "ready").length : null;
  const over = stage.kind === "ended" || stage.kind === "ending";
  return {
    replicas: (set?.status?.replicas ?? 0) * perPod,
    ready: over ? inPods : (members ?? inPods),
    desired: spec?.replicas ?? (job.spec.workers as { replicas?: number } | undefined)?.replicas ?? 0,
    min: spec?.min ?? 1,
  };
}

export type WriteDecision =
  | { readonly kind: "write"; readonly reason: string }
  | { readonly kind: "wait"; readonly againMs: number }
  | { readonly kind: "same" };

/** Changes that a person waits for are written at once, numbers at most every so often. */
export function decideWrite(
  nowMs: number,
  before: DiffusionJobStatus | undefined,
  next: DiffusionJobStatus,
  { writtenMs, everyMs }: { readonly writtenMs: number | null; readonly everyMs: number },
): WriteDecision {
  if (isSameStatus(before, next)) return { kind: "same" };
  const telling = firstTelling(before, next);
  if (telling) return { kind: "write", reason: telling };
  const dueMs = writtenMs === null ? nowMs : writtenMs + everyMs;
  return nowMs >= dueMs ? { kind: "write", reason: "numbers" } : { kind: "wait", againMs: dueMs - nowMs };
}

function firstTelling(before: DiffusionJobStatus | undefined, next: DiffusionJobStatus): string | null {
  if (before?.phase !== next.phase) return `phase ${next.phase}`;
  if (before?.observedGeneration !== next.observedGeneration) return "another generation";
  if (before?.weightsSha256 !== next.weightsSha256) return "weights";
  if (before?.workers?.replicas !== next.workers?.replicas) return "workers";
  const changed = next.conditions?.find(({ type, status, reason }) => {
    const old = before?.conditions?.find((each) => each.type === type);
    return old?.status !== status || old.reason !== reason;
  });
  return changed ? `condition ${changed.type}` : null;
}

/** Whatever the order in which a server writes fields. */
export const isSameStatus = (a: object | undefined, b: object): boolean =>
  JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, ordered(each)]));
}
