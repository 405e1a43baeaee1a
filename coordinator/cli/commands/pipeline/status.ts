// plume pipeline status: what each stage of a pipeline is doing, from the folders of their runs.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { type LedgerLine, ledgerLineSchema } from "../../../../shared/ledger/line.ts";
import { parseJson, wholeLines } from "../../../../shared/ledger/read.ts";
import { readRunLock } from "../../../../shared/run-lock/lock.ts";
import { loadPipeline } from "../../../../shared/stages/load.ts";
import { plan, type StageState } from "../../../../shared/stages/plan.ts";
import { action, type CommandIo } from "../../action.ts";
import { collect, SET_OPTION } from "../../options.ts";
import { duration, lossWords } from "../../progress/words.ts";
import { table } from "../../table.ts";
import { folderOf, readFacts, summaryOf } from "./facts.ts";

export function statusCommand(): Command {
  return new Command("status")
    .description("what each stage is doing: phase, step, loss, weights, time")
    .requiredOption("-f, --file <pipeline>", "pipeline file (YAML)")
    .option("--out <dir>", "the pipeline's folder (default: runs/<pipeline name>)")
    .option(...SET_OPTION, collect, [])
    .addHelpText(
      "after",
      `
Phases: done, running, stopped (goes on where it is), ready (may begin), blocked (waits for other stages), stale (its job, or the weights
that it was trained with, are others now).

Examples:
  plume pipeline status -f deploy/pipelines/distilled.yaml
  plume pipeline status -f deploy/pipelines/distilled.yaml --json | jq '.stages[].phase'
  plume ctl status runs/distilled/student                  # more of a stage that is running

Exit codes: 0 told, 2 a mistake in the command or the file.`,
    )
    .action(action(status));
}

interface StatusOptions {
  readonly file: string;
  readonly out?: string;
  readonly set: string[];
}

async function status(io: CommandIo, options: StatusOptions): Promise<undefined> {
  const pipeline = loadPipeline(options.file, options.set);
  const out = folderOf(pipeline, options.out);
  const states = plan(pipeline, await readFacts(pipeline, out));
  const stages = states.map((state) => told(state, join(out, state.stage.name)));
  const cells = stages.map(({ stage, phase, step, steps, loss, weightsSha256, wallSeconds }) => [
    stage,
    phase,
    `${step}/${steps}`,
    lossWords(loss),
    weightsSha256?.slice(0, 12) ?? "-",
    wallSeconds === null ? "-" : duration(wallSeconds),
  ]);
  io.print(table([["stage", "phase", "step", "loss", "weights", "time"], ...cells]));
  for (const { stage, reasons } of stages) for (const reason of reasons) io.note(`  ${stage}: ${reason}`);
  io.result({ pipeline: pipeline.name, out, stages });
  return undefined;
}

function told(state: StageState, folder: string) {
  const { stage } = state;
  const running = readRunLock(folder)?.alive === true;
  const last = lastLine(join(folder, "ledger.ndjson"));
  const summary = running ? null : summaryOf(folder);
  const { emaSha256 = null, weightsSha256 = null, wallSeconds = null } = summary ?? {};
  return {
    stage: stage.name,
    phase: running ? "running" : phaseOf(state, last !== null),
    step: summary?.steps ?? (last === null ? 0 : last.step + 1),
    steps: stage.job.spec.training.steps,
    loss: summary?.finalLoss ?? last?.loss ?? null,
    ...{ weightsSha256, emaSha256, wallSeconds },
    reasons: reasonsOf(state),
  };
}

const phaseOf = ({ kind }: StageState, begun: boolean) => (kind === "ready" && begun ? "stopped" : kind);

function reasonsOf(state: StageState): readonly string[] {
  if (state.kind === "stale") return state.reasons;
  return state.kind === "blocked" ? [`waits for ${state.by.join(", ")}`] : [];
}

/** A line of a step is shorter than this, whatever its blocks. */
const TAIL_BYTES = 1 << 20;

/** Of the newest committed step. */
function lastLine(file: string): LedgerLine | null {
  if (!existsSync(file)) return null;
  let last: LedgerLine | null = null;
  for (const { text } of wholeLines(file, Math.max(0, statSync(file).size - TAIL_BYTES)))
    last = ledgerLineSchema.safeParse(parseJson(text)).data ?? last;
  return last;
}
