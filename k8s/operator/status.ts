// The status of a job: what is seen, and of what cannot be seen now the last that was. Pure.

import { nextConditions } from "../../shared/kubernetes/conditions.ts";
import type { JobStatus } from "./job.ts";
import { type Observed, setOf } from "./observed.ts";
import type { Stage } from "./stage.ts";
import { type Crew, phaseOf, verdictsOf } from "./verdicts.ts";

export function statusOf(nowMs: number, stage: Stage, observed: Observed): JobStatus {
  const { job, said } = observed;
  const before = job.status ?? {};
  const generation = job.metadata.generation ?? 0;
  const crew = crewOf(stage, observed);
  const { replicas, ready, desired } = crew;
  const { name } = job.metadata;
  const selector = `app.kubernetes.io/name=plume,app.kubernetes.io/instance=${name},app.kubernetes.io/component=worker`;
  const told = said.kind === "answered" ? numbersOf(said.report) : kept(before);
  return {
    observedGeneration: generation,
    phase: phaseOf(stage, observed),
    ...told,
    ...(GOING.has(stage.kind) ? {} : { etaSeconds: 0, samplesPerSecond: 0 }),
    workers: { replicas, ready, desired, selector },
    conditions: nextConditions(nowMs, generation, before.conditions ?? [], verdictsOf(stage, observed, crew)),
  };
}

const GOING: ReadonlySet<Stage["kind"]> = new Set(["running", "suspending"]);

type Told = Pick<
  JobStatus,
  "step" | "steps" | "loss" | "samplesPerSecond" | "etaSeconds" | "checkpoint" | "weightsSha256"
>;

function numbersOf(report: Extract<Observed["said"], { kind: "answered" }>["report"]): Told {
  const { step, steps, loss, imagesPerSecond, etaSeconds, checkpoint, weightsSha256 } = report;
  return {
    step,
    steps,
    ...(Number.isFinite(loss) && { loss: rounded(loss, 6) }),
    samplesPerSecond: rounded(imagesPerSecond, 1),
    etaSeconds: Math.round(etaSeconds),
    ...(checkpoint && {
      checkpoint: {
        step: checkpoint.step,
        url: checkpoint.url,
        ...(checkpoint.atMs > 0 && { time: new Date(checkpoint.atMs).toISOString().replace(/\.\d+Z$/, "Z") }),
      },
    }),
    ...(weightsSha256 && { weightsSha256 }),
  };
}

function kept({ step, steps, loss, samplesPerSecond, etaSeconds, checkpoint, weightsSha256 }: JobStatus): Told {
  const all = { step, steps, loss, samplesPerSecond, etaSeconds, checkpoint, weightsSha256 };
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
    desired: spec?.replicas ?? job.spec.workers?.replicas ?? 0,
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
  before: JobStatus | undefined,
  next: JobStatus,
  { writtenMs, everyMs }: { readonly writtenMs: number | null; readonly everyMs: number },
): WriteDecision {
  if (JSON.stringify(ordered(before)) === JSON.stringify(ordered(next))) return { kind: "same" };
  const telling = firstTelling(before, next);
  if (telling) return { kind: "write", reason: telling };
  const dueMs = writtenMs === null ? nowMs : writtenMs + everyMs;
  return nowMs >= dueMs ? { kind: "write", reason: "numbers" } : { kind: "wait", againMs: dueMs - nowMs };
}

function firstTelling(before: JobStatus | undefined, next: JobStatus): string | null {
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
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, ordered(each)]));
}
