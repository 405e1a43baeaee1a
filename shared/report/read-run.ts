// What a run's folder says, as far as it is there: a run that is going on, one that ended, one that was killed, one that an
// earlier plume wrote. What is missing or damaged is named and costs its part of the report alone.

import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { readEvents, type StampedEvent } from "../bus/event-log.ts";
import type { Recovery } from "../bus/events.ts";
import type { StepLine } from "../bus/step-line.ts";
import { type Job, jobSchema } from "../config/schema.ts";
import { orderOf } from "../config/turns.ts";
import { describeError, PlumeError } from "../errors.ts";
import { type AuditReport, auditLedger } from "../ledger/audit.ts";
import type { LedgerLine } from "../ledger/line.ts";
import { parseJson, readBegin, readLedger, wholeLines } from "../ledger/read.ts";
import { readRunLock } from "../run-lock/lock.ts";
import { readSummary, recoverySchema, type Summary } from "../summary.ts";
import { type Picture, readPictures } from "./pictures.ts";
import { createTimeline, type Timeline } from "./timeline.ts";

export type Outcome = "running" | "complete" | "stopped" | "failed" | "killed" | "unknown";

export interface RunRecord {
  readonly folder: string;
  readonly name: string;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly job: Job | null;
  /** What job.yaml says below spec, without secrets; for runs whose job this plume cannot read, too. */
  readonly spec: unknown;
  readonly dataset: { readonly name: string; readonly size: number; readonly digest: string } | null;
  readonly summary: Summary | null;
  readonly steps: readonly StepLine[];
  readonly events: readonly StampedEvent[];
  readonly recoveries: readonly Recovery[];
  readonly secondsByState: Readonly<Record<string, number>>;
  readonly timeline: Timeline | null;
  /** Null when the ledger proves nothing; `faults` says why. */
  readonly audit: AuditReport | null;
  readonly pictures: readonly Picture[];
  /** Of plume, from the coordinator's log. */
  readonly version: string | null;
  /** What is missing or damaged. */
  readonly faults: readonly string[];
}

/** @throws PlumeError NOT_FOUND for a folder that no run has written. */
export async function readRun(dir: string): Promise<RunRecord> {
  const folder = resolve(dir);
  const file = (...parts: string[]) => join(folder, ...parts);
  const has = (name: string) => existsSync(file(name));
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new PlumeError("NOT_FOUND", `${dir} is no folder`, { remedy: REMEDY });
  if (!["job.yaml", "ledger.ndjson", "metrics.ndjson"].some(has))
    throw new PlumeError("NOT_FOUND", `${dir} is no run's folder: it has no job.yaml, no ledger and no metrics`, {
      remedy: REMEDY,
    });
  const faults: string[] = [];
  const attempt = <T>(what: string, read: () => T): T | null => {
    if (!has(what)) {
      faults.push(`${what} is not there`);
      return null;
    }
    try {
      return read();
    } catch (error) {
      faults.push(describeError(error).replace(folder, basename(folder)).split("\n  ")[0]!);
      return null;
    }
  };
  const raw = attempt(
    "job.yaml",
    () => parse(readFileSync(file("job.yaml"), "utf8")) as { metadata?: { name?: string }; spec?: unknown },
  );
  const checked = jobSchema.safeParse(raw);
  if (raw && !checked.success)
    faults.push("job.yaml has fields that this plume does not know: what follows from them is left out");
  const job = checked.data ?? null;
  const dataset = attempt("dataset.json", () =>
    datasetSchema.parse(JSON.parse(readFileSync(file("dataset.json"), "utf8"))),
  );
  const summary = has("summary.json") ? attempt("summary.json", () => readSummary(file("summary.json"))) : null;
  const events = readEvents(file("events.ndjson"));
  if (events.length === 0) faults.push("events.ndjson is not there or empty: joins, kills and commands are not shown");
  const steps = attempt("metrics.ndjson", () => [...readSteps(file("metrics.ndjson"))]) ?? [];
  const { timeline, audit } = readProof(file("ledger.ndjson"), job, dataset, faults);
  const journal = has("journal.json") ? readJournal(file("journal.json")) : null;
  const told = events.flatMap(({ event }) => (event.kind === "recovered" ? [event.recovery] : []));
  return {
    folder,
    name: raw?.metadata?.name ?? basename(folder),
    ...outcomeOf(folder, summary, events),
    job,
    spec: withoutToken(raw?.spec ?? null),
    dataset,
    summary,
    steps,
    events,
    recoveries: summary?.recoveryLog ?? journal?.recoveries ?? told,
    secondsByState: summary?.secondsByState ?? journal?.seconds ?? {},
    timeline,
    audit,
    pictures: await readPictures(file("samples"), faults),
    version: has("logs/coordinator.log") ? versionIn(file("logs", "coordinator.log")) : null,
    faults,
  };
}

const REMEDY = "name the folder that plume train wrote (--out), for example runs/fashion";

const datasetSchema = z.object({ name: z.string().default("?"), size: z.int().min(1), digest: z.string() });

/** Seconds and recoveries of a run that has no summary yet, or never got one. */
const journalSchema = z.object({
  seconds: z.record(z.string(), z.number()),
  recoveries: z.array(recoverySchema),
});

function readJournal(file: string): z.infer<typeof journalSchema> | null {
  return journalSchema.safeParse(parseJson(readFileSync(file, "utf8"))).data ?? null;
}

const partSchema = z.number().catch(Number.NaN);
const stepSchema = z.object({
  step: z.int().min(0),
  // JSON has no NaN: null stands for it.
  loss: partSchema,
  lr: partSchema,
  gradNorm: partSchema,
  workers: partSchema,
  imagesPerSecond: partSchema,
  seconds: z
    .object({
      total: partSchema,
      gather: partSchema,
      compute: partSchema,
      pull: partSchema,
      data: z.number().catch(0),
      handover: partSchema,
      reduce: partSchema,
      optimize: partSchema,
      publish: partSchema,
    })
    .catch({ total: 0, gather: 0, compute: 0, pull: 0, data: 0, handover: 0, reduce: 0, optimize: 0, publish: 0 }),
  atMs: z.number().optional().catch(undefined),
});

/** Whole lines alone; the newest of a step that was computed again. */
function readSteps(file: string): readonly StepLine[] {
  const steps = new Map<number, StepLine>();
  for (const { text } of wholeLines(file)) {
    const { data } = stepSchema.safeParse(parseJson(text));
    if (data) steps.set(data.step, data as StepLine);
  }
  return [...steps.values()].sort((a, b) => a.step - b.step);
}

function readProof(file: string, job: Job | null, dataset: { size: number } | null, faults: string[]) {
  const maker = createTimeline();
  let last = -1;
  /** Each line once, also when the audit stops before the end. */
  function* tapped(): Generator<LedgerLine> {
    for (const line of readLedger(file)) {
      if (line.step > last) maker.add(line.step, line.blocks);
      last = Math.max(last, line.step);
      yield line;
    }
  }
  if (!existsSync(file)) {
    faults.push("ledger.ndjson is not there: nothing proves which samples were used, or who computed what");
    return { timeline: null, audit: null };
  }
  let audit: AuditReport | null = null;
  try {
    if (job && dataset) {
      audit = auditLedger(tapped(), orderOf(job.spec, dataset.size), readBegin(file)?.begins);
    }
    if (!audit?.ok) for (const _ of tapped()); // what is behind the fault is drawn nevertheless
  } catch (error) {
    audit = null;
    faults.push(`the ledger proves nothing: ${describeError(error).split("\n  ")[0]!.replace(file, "ledger.ndjson")}`);
  }
  return { timeline: maker.made(), audit };
}

function outcomeOf(
  folder: string,
  summary: Summary | null,
  events: readonly StampedEvent[],
): { outcome: Outcome; reason: string } {
  const lastPhase = events.findLast(({ event }) => event.kind === "phase")?.event;
  const why = lastPhase?.kind === "phase" ? `${lastPhase.phase}: ${lastPhase.reason}` : "";
  if (readRunLock(folder)?.alive) return { outcome: "running", reason: why || "its coordinator is alive" };
  if (summary)
    return {
      outcome: summary.outcome,
      reason: summary.unsaved ? `its last state is not in the store: ${summary.unsaved}` : "",
    };
  const newest = incarnationOf(events.at(-1));
  const last = events.findLast((each) => each.event.kind === "end" && incarnationOf(each) === newest)?.event;
  if (last?.kind === "end") return { outcome: last.outcome, reason: last.reason };
  if (events.length > 0)
    return { outcome: "killed", reason: `its coordinator ended without a word${why ? `, after ${why}` : ""}` };
  return { outcome: "unknown", reason: "it has no summary.json and no events" };
}

const incarnationOf = (stamped: StampedEvent | undefined) => stamped?.id.split("-")[0];

/** A job that an earlier plume, or a person, left in the folder may have one. */
function withoutToken(spec: unknown): unknown {
  const { monitoring, ...rest } = (spec ?? {}) as { monitoring?: Record<string, unknown> };
  if (!monitoring?.token) return spec;
  const { token: _, ...others } = monitoring;
  return { ...rest, monitoring: others };
}

function versionIn(log: string): string | null {
  for (const { text } of wholeLines(log)) {
    const version = (parseJson(text) as { version?: unknown } | undefined)?.version;
    return typeof version === "string" ? version : null;
  }
  return null;
}
