// plume audit: the exactly-once proof of a run, from its folder alone.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { parse } from "yaml";
import { z } from "zod";
import { type Job, jobSchema } from "../../../shared/config/schema.ts";
import { orderOf } from "../../../shared/config/turns.ts";
import { counted } from "../../../shared/counted.ts";
import { type SampleOrder, samplesBefore } from "../../../shared/data/order.ts";
import { describeError, PlumeError } from "../../../shared/errors.ts";
import { type AuditReport, auditLedger } from "../../../shared/ledger/audit.ts";
import { readBegin, readLedger } from "../../../shared/ledger/read.ts";
import { readSummary } from "../../../shared/summary.ts";
import { action, type CommandIo } from "../action.ts";

/** A run's folder, as far as the audit reads it. */
export interface AuditedRun {
  readonly dir: string;
  readonly job: Job;
  readonly dataset: DatasetCard;
  readonly order: SampleOrder;
}

const datasetSchema = z.object({ name: z.string().optional(), size: z.int().min(1), digest: z.string() });
type DatasetCard = z.infer<typeof datasetSchema>;

export interface ReplayReport {
  readonly ok: boolean;
  /** The step that was asked for. */
  readonly step: number;
  /** The first step computed: a saved state's, or 0 for fresh parameters of the seed. */
  readonly from: number;
  /** Steps on the way that were computed again and are the same. */
  readonly replayed: number;
  /** The first step that differs from the ledger; nothing after it was computed. */
  readonly differs: number | null;
  /** For a person: which digests were compared, and how it came out. */
  readonly message: string;
}

/** Computes a committed step again from the nearest state before it, and compares each gradient's digest with the ledger's. */
export type Replay = (run: AuditedRun, step: number, io: CommandIo) => Promise<ReplayReport>;

interface AuditOptions {
  readonly replay?: string;
}

/** @param replay adds `--replay STEP`; it needs a backend, so main.ts brings it. */
export function auditCommand(replay?: Replay): Command {
  const command = new Command("audit")
    .description("prove from a run's ledger that every sample was used exactly once an epoch")
    .argument("<dir>", "the run's folder, for example runs/fashion");
  if (replay)
    command.option(
      "--replay <step>",
      "compute this step again and compare its gradient's digest; starts from the nearest checkpoint at or below it",
    );
  return command
    .addHelpText(
      "after",
      `
Examples:
  plume audit runs/fashion${replay ? "\n  plume audit runs/fashion --replay 41" : ""}
  plume audit runs/fashion --json

Exit codes: 0 nothing is wrong, 1 a gap, a repeat, other samples or another gradient (the first is named),
2 no run's folder or no such step.`,
    )
    .action(action<AuditOptions>((io, options, dir) => audit(io, options, dir!, replay)));
}

async function audit(io: CommandIo, options: AuditOptions, dir: string, replay?: Replay): Promise<number> {
  const run = openRun(dir);
  const step = options.replay === undefined ? null : stepNumber(options.replay);
  const report = compareWithSummary(run, proof(join(dir, "ledger.ndjson"), run.order));
  printReport(io, run, report);
  const replayed = step !== null && replay ? await replay(run, step, io) : null;
  if (replayed) io.print(`replay       ${replayed.message}`);
  io.result({ ...report, ...(replayed ? { replay: replayed } : {}) });
  return report.ok && (replayed?.ok ?? true) ? 0 : 1;
}

const proof = (ledger: string, order: SampleOrder): AuditReport =>
  auditLedger(readLedger(ledger), order, readBegin(ledger)?.begins);

function openRun(dir: string): AuditedRun {
  const file = (name: string) => join(dir, name);
  for (const name of ["job.yaml", "dataset.json", "ledger.ndjson"])
    if (!existsSync(file(name)))
      throw new PlumeError("NOT_FOUND", `${dir} is no run's folder: it has no ${name}`, {
        remedy: "name the folder that plume train wrote (--out), for example runs/fashion",
      });
  const job = readAs(file("job.yaml"), parse, jobSchema);
  const dataset = readAs(file("dataset.json"), JSON.parse, datasetSchema);
  return { dir, job, dataset, order: orderOf(job.spec, dataset.size) };
}

function readAs<T>(file: string, parseText: (text: string) => unknown, schema: z.ZodType<T>): T {
  try {
    return schema.parse(parseText(readFileSync(file, "utf8")));
  } catch (error) {
    const cause = error instanceof z.ZodError ? z.prettifyError(error) : describeError(error);
    throw new PlumeError("INVALID_ARGUMENT", `${file} is not what a run writes: ${cause}`, {
      remedy: "restore it from a copy of the run's folder",
      cause: error,
    });
  }
}

function stepNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new PlumeError("INVALID_ARGUMENT", `--replay ${text} is no step`, { remedy: "for example --replay 0" });
}

/** A finished run says how many steps it has: a ledger that lost its end is found by it. */
function compareWithSummary({ dir }: AuditedRun, report: AuditReport): AuditReport {
  const file = join(dir, "summary.json");
  if (!report.ok || !existsSync(file)) return report;
  const { steps } = readSummary(file);
  if (steps === report.steps) return report;
  const message =
    steps > report.steps
      ? `gap: steps ${report.steps} to ${steps - 1} are missing at the end; summary.json counts ${steps}`
      : `repeat: summary.json counts ${steps} steps, the ledger goes on`;
  return { ...report, ok: false, firstFault: { step: Math.min(steps, report.steps), message } };
}

function printReport(io: CommandIo, { job, dataset, order }: AuditedRun, report: AuditReport): void {
  const under = samplesBefore(order, report.steps) % order.datasetSize;
  const skipped = report.skippedSteps > 0 ? `, ${report.skippedSteps} skipped for a gradient that was not finite` : "";
  io.print(`run          ${job.metadata.name}, seed ${order.seed}`);
  io.print(`data set     ${dataset.name ?? job.spec.data.source}, ${dataset.size} samples`);
  io.print(`steps        ${report.steps} of ${job.spec.training.steps}${skipped}`);
  if (report.from > 0)
    io.print(
      `proof        begins at step ${report.from}: the ledger of the steps before is not here, and proves nothing`,
    );
  io.print(`samples      ${report.samples} read by ${counted(report.workers, "worker")}`);
  io.print(`epochs       ${report.wholeEpochs} whole, ${under} samples of the next`);
  if (report.skippedSamples > 0)
    io.print(
      `skipped      ${report.skippedSamples} that cannot be decoded; in their place stood always the same others`,
    );
  if (report.firstFault) io.print(`FAULT        step ${report.firstFault.step}: ${report.firstFault.message}`);
  else
    io.print(
      `exactly once yes: no sample was left out or used again${report.steps === 0 ? " (nothing was committed)" : ""}`,
    );
}
