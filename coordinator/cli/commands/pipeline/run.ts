// plume pipeline run: trains one stage after another, each as plume train does, and goes on where it stopped.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { Command } from "commander";
import { dumpJob } from "../../../../shared/config/load.ts";
import type { Job } from "../../../../shared/config/schema.ts";
import { counted } from "../../../../shared/counted.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { givesImages } from "../../../../shared/models/index.ts";
import { checkStages } from "../../../../shared/stages/fits.ts";
import { dumpPipeline, loadPipeline } from "../../../../shared/stages/load.ts";
import { withDownstream } from "../../../../shared/stages/order.ts";
import { plan, type StageState } from "../../../../shared/stages/plan.ts";
import type { Pipeline } from "../../../../shared/stages/schema.ts";
import type { Summary } from "../../../../shared/summary.ts";
import { action, type CommandIo } from "../../action.ts";
import { againCommand, commandLine } from "../../next.ts";
import { collect, SET_OPTION, wholeNumber } from "../../options.ts";
import { duration, lossWords } from "../../progress/words.ts";
import { train } from "../train.ts";
import { checkNames, folderOf, readFacts, summaryOf, withoutRun } from "./facts.ts";

interface RunOptions {
  readonly file: string;
  readonly workers?: string;
  readonly out?: string;
  readonly retrain: string[];
  readonly set: string[];
}

export function runCommand(): Command {
  return new Command("run")
    .description("train the stages that are not done, each after those whose weights it takes")
    .requiredOption("-f, --file <pipeline>", "pipeline file (YAML)")
    .option("--workers <n>", "worker processes of every stage (workers.replicas)")
    .option("--out <dir>", "the pipeline's folder, with a run's folder a stage (default: runs/<pipeline name>)")
    .option(
      "--retrain <stage>",
      "train this stage anew, and after it those that take its weights where these are others now; may be repeated",
      collect,
      [],
    )
    .option(...SET_OPTION, collect, [])
    .addHelpText(
      "after",
      `
Examples:
  plume pipeline run -f deploy/pipelines/distilled.yaml
  plume pipeline run -f deploy/pipelines/distilled.yaml --set edm.training.steps=2000
  plume pipeline run -f deploy/pipelines/text.yaml --workers 4 --out runs/try
  plume pipeline run -f deploy/pipelines/distilled.yaml --retrain student

Run again it goes on where it stopped: what is done is not trained again. A stage whose job has changed since, or that was trained with
other weights than its upstream stage has now, is stale: nothing is trained until --retrain names it. An earlier run is moved
aside, never deleted.

Ctrl-C once finishes the step in progress, saves a checkpoint and stops; twice stops at once.
Exit codes: 0 all stages done, 1 failed, 2 a mistake in the command or the file, 130 interrupted.`,
    )
    .action(action(run));
}

async function run(io: CommandIo, options: RunOptions): Promise<number> {
  const { workers, retrain } = options;
  const size = workers === undefined ? [] : [`workers.replicas=${wholeNumber("--workers", workers)}`];
  const pipeline = loadPipeline(options.file, [...size, ...options.set]);
  checkNames(pipeline, "--retrain", retrain);
  const out = folderOf(pipeline, options.out);
  const anew = new Set(retrain);
  const allowed = withDownstream(pipeline.stages, retrain);
  const statesNow = async () => {
    const facts = new Map(await readFacts(pipeline, out));
    for (const name of anew) facts.set(name, withoutRun(facts.get(name)!));
    return plan(pipeline, facts, allowed);
  };
  let states = await statesNow();
  refuseStale(states);
  await checkStages(pipeline);
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "pipeline.yaml"), dumpPipeline(pipeline));
  const told = createTeller(io, pipeline, out);
  for (const { stage, kind } of states) if (kind === "done") told.before(stage.name);
  for (let next = states.find(isReady); next; next = states.find(isReady)) {
    const { name } = next.stage;
    const isAsked = anew.delete(name);
    io.signal.throwIfAborted();
    const code = await trainStage(io, next.job, join(out, name), isAsked || next.over);
    const ended = told.after(name);
    if (code !== 0 || ended !== "complete") return told.stopped(name, code);
    states = await statesNow();
    refuseStale(states);
  }
  return told.end();
}

const isReady = (state: StageState): state is StageState & { readonly kind: "ready" } => state.kind === "ready";

/** @throws PlumeError FAILED_PRECONDITION with every stage that waits for a word, and why. */
function refuseStale(states: readonly StageState[]): void {
  const stale = states.filter((state) => state.kind === "stale");
  if (stale.length === 0) return;
  const lines = stale.flatMap(({ stage, reasons }) =>
    reasons.map((reason) => `stage ${stage.name} is stale: ${reason}`),
  );
  const flags = stale.map(({ stage }) => `--retrain ${stage.name}`).join(" ");
  throw new PlumeError("FAILED_PRECONDITION", lines.join("\n  "), {
    remedy: `add ${flags} to train ${stale.length === 1 ? "it" : "them"} anew, or put back what was`,
  });
}

/** As `plume train`, save that what it says at the beginning and at the end is the pipeline's to say. */
async function trainStage(io: CommandIo, job: Job, out: string, over: boolean): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), "plume-"));
  try {
    const file = join(scratch, "job.yaml");
    writeFileSync(file, dumpJob(job));
    const resume = over ? "never" : "latest";
    const quiet = { ...io, print: () => {}, result: () => {} };
    return await train(quiet, { file, out, resume, listen: "127.0.0.1:0", allow: [], set: [] });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** One line a stage, and where everything is. */
function createTeller(io: CommandIo, { name, stages }: Pipeline, out: string) {
  const shown = relative(process.cwd(), out) || ".";
  const told: object[] = [];
  const tell = (stage: string, how: string): Summary => {
    const summary = summaryOf(join(out, stage))!;
    const place = `${stages.findIndex((each) => each.name === stage) + 1}/${stages.length}`;
    const { steps, finalLoss, emaSha256, wallSeconds } = summary;
    io.print(
      `[${place}] ${stage} ${how}: ${counted(steps, "step")}, loss ${lossWords(finalLoss)}, ${duration(wallSeconds)}, EMA sha256 ${emaSha256.slice(0, 12)}`,
    );
    told.push({ stage, state: how, ...summary });
    return summary;
  };
  const result = (outcome: "complete" | "stopped") => io.result({ pipeline: name, out, outcome, stages: told });
  return {
    before: (stage: string) => void tell(stage, "done before"),
    /** @returns how its run ended. */
    after(stage: string): Summary["outcome"] {
      const { outcome } = summaryOf(join(out, stage))!;
      tell(stage, outcome === "complete" ? "trained" : "stopped");
      return outcome;
    },
    stopped(stage: string, code: number): number {
      result("stopped");
      io.note(`  stage ${stage} is not done; to go on there: ${againCommand(process.argv.slice(2))}`);
      return code;
    },
    end(): 0 {
      result("complete");
      if (stages.some(({ job }) => givesImages(job.spec.model.type)))
        io.print(`\nto draw samples: ${commandLine("plume", "sample", "--pipeline", shown, "-o", `${name}.png`)}`);
      return 0;
    },
  };
}
