// plume train: runs a job file on this machine, shows how it goes, says where everything is.

import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { Command } from "commander";
import { ControlServiceClient, type WatchResponse } from "../../../proto/gen/plume/v1/control.ts";
import { cudaDevices, deviceEnvironment } from "../../../shared/backends/environment.ts";
import { chooseBackend } from "../../../shared/backends/index.ts";
import type { RunEvent } from "../../../shared/bus/events.ts";
import { listCheckpoints } from "../../../shared/checkpoint/read.ts";
import { sleep } from "../../../shared/clock.ts";
import { fieldRows } from "../../../shared/config/fields.ts";
import { checkAllowed } from "../../../shared/config/identity.ts";
import { dumpJob, loadBegun, loadJobAndToken } from "../../../shared/config/load.ts";
import type { Job, JobSpec } from "../../../shared/config/schema.ts";
import { counted } from "../../../shared/counted.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { LOG_LEVEL_VARIABLE, LOG_LEVELS } from "../../../shared/log.ts";
import { givesImages, PYRAMIDS } from "../../../shared/models/index.ts";
import { type Plane, planeOfEnvironment } from "../../../shared/rpc/tls/plane.ts";
import { ownConnection } from "../../../shared/rpc/transport.ts";
import { readRunLock } from "../../../shared/run-lock/lock.ts";
import { openStore } from "../../../shared/store/open.ts";
import { readSummary, type Summary } from "../../../shared/summary.ts";
import { action, type CommandIo } from "../action.ts";
import { againCommand, commandLine } from "../next.ts";
import { collect, oneOf, wholeNumber } from "../options.ts";
import { duration } from "../progress/words.ts";
import { createProgressLine, type ProgressLine } from "../progress-line.ts";
import { openStart, type Start } from "../start.ts";
import { type Supervisor, superviseRun } from "../supervisor.ts";
import { table } from "../table.ts";

export interface TrainOptions {
  readonly file: string;
  readonly workers?: string;
  readonly steps?: string;
  readonly out?: string;
  readonly resume: string;
  readonly listen: string;
  readonly advertise?: string;
  readonly maxRestarts?: string;
  readonly set: string[];
  readonly init?: string;
  readonly allow: string[];
  readonly logLevel?: string;
}

export function trainCommand(): Command {
  return new Command("train")
    .description("run a job on this machine: one coordinator and N worker processes")
    .requiredOption("-f, --file <job>", "job file (YAML)")
    .option("--workers <n>", "worker processes (workers.replicas)")
    .option("--steps <n>", "optimizer steps (training.steps)")
    .option("--out <dir>", "the run's folder (default: runs/<job name>)")
    .option("--resume <which>", "latest | never | a step number", "latest")
    .option("--init <folder>", "start from the weights of an exported folder, or of a UNet2DModel of diffusers")
    .option(
      "--allow <field>",
      "resume though this field of the job differs from the checkpoint's and decides bits; may be repeated",
      collect,
      [],
    )
    .option("--listen <host:port>", "address of the coordinator; port 0 takes a free one", "127.0.0.1:0")
    .option("--advertise <host:port>", "address that workers dial, where it is not the coordinator's own")
    .option("--max-restarts <n>", "failures in a row before a worker is given up (workers.maxRestarts)")
    .option("--log-level <level>", `of logs/ in the run's folder: ${LOG_LEVELS.join(", ")}; PLUME_LOG_LEVEL, else info`)
    .option("--set <path=value>", "override a field of the job, for example training.optimizer.lr=1e-3", collect, [])
    .addHelpText(
      "after",
      `
Examples:
  plume train -f deploy/jobs/shapes.yaml
  plume train -f deploy/jobs/fashion.yaml --workers 2 --set training.steps=500 --out runs/try
  plume train -f deploy/jobs/fashion.yaml --init fashion-diffusers --out runs/more
  plume train -f deploy/jobs/consistency-distillation.yaml --set models.teacher.from=file://runs/edm
  plume train -f job.yaml --set training.optimizer.lr=1e-4 --allow training.optimizer.lr

Ctrl-C once finishes the step in progress, saves a checkpoint and stops; twice stops at once.
Exit codes: 0 done, 1 failed (also when the last checkpoint could not be written), 2 a mistake in the command or the job file, 130 interrupted.

Fields of a job, below spec (each can be set with --set):
${jobFields()}`,
    )
    .action(action(train));
}

/** From the schema: path, default, meaning. */
function jobFields(): string {
  const rows = fieldRows().map(({ path, default: fallback, meaning }) => [
    `  ${path}`,
    fallback.replaceAll("`", ""),
    meaning,
  ]);
  return table(rows);
}

/** A run keeps the backend that it began with, whatever has been set up meanwhile: another one would change its bits. */
async function backendOf({ spec }: Job, begun: Job | null): Promise<JobSpec["workers"]["backend"]> {
  const { backend, replicas } = spec.workers;
  if (replicas === 0) return backend; // workers that join from elsewhere know what they have
  return chooseBackend(backend === "auto" ? (begun?.spec.workers.backend ?? "auto") : backend);
}

const withBackend = (job: Job, backend: JobSpec["workers"]["backend"]): Job => ({
  ...job,
  spec: { ...job.spec, workers: { ...job.spec.workers, backend } },
});

/** And the weights that it began with: a job that names none means those. */
const withInitOf = (job: Job, init: string | undefined): Job => ({
  ...job,
  spec: { ...job.spec, training: { ...job.spec.training, ...(init === undefined ? {} : { init }) } },
});

/** Also a pipeline's stage, one after another. @returns the exit code; the summary goes to `io.result`. */
export async function train(io: CommandIo, options: TrainOptions): Promise<number> {
  checkAllowed(options.allow);
  const plane = planeOfEnvironment(); // a mistake in its files is found before anything starts
  const logLevel = options.logLevel === undefined ? null : oneOf("--log-level", options.logLevel, LOG_LEVELS);
  if (logLevel) process.env[LOG_LEVEL_VARIABLE] = logLevel; // for the processes that it starts
  const { job: asked, token } = loadJobAndToken(options.file, { set: [...overrides(options), ...options.set] });
  const out = resolve(options.out ?? join("runs", asked.metadata.name));
  const begun = options.resume === "never" ? null : loadBegun(out);
  const backend = await backendOf(asked, begun);
  const start = options.init === undefined ? null : await openStart(options.init, asked);
  const job = start?.job ?? withInitOf(asked, asked.spec.training.init ?? begun?.spec.training.init);
  refuseIfRunning(out);
  if (options.resume === "never") moveAside(out, io);
  const resume = start ? await begin(start, out, options.resume, io) : options.resume;
  const scratch = mkdtempSync(join(tmpdir(), "plume-"));
  const jobFile = join(scratch, "job.yaml");
  writeFileSync(jobFile, dumpJob(withBackend(job, backend)));
  const devices = cudaDevices();
  const progress = createProgressLine(process.stderr, () => performance.now());
  let supervisor: Supervisor;
  try {
    supervisor = await superviseRun({
      jobFile,
      out,
      workers: job.spec.workers.replicas,
      workerEnvironment: (index) => deviceEnvironment(backend, index, devices),
      min: job.spec.workers.min,
      resume,
      allow: options.allow,
      listen: options.listen,
      token,
      ...(options.advertise ? { advertise: options.advertise } : {}),
      maxRestarts: job.spec.workers.maxRestarts,
      replaceMs: 1000 * job.spec.workers.replaceSeconds,
      onNote: (line) => progress.note(`  ${line}`),
      onOutput: progress.note,
    });
  } catch (error) {
    progress.end();
    rmSync(scratch, { recursive: true, force: true });
    throw error;
  }
  const interrupts = watchInterrupts(supervisor, progress);
  try {
    banner(io, job, out, supervisor);
    const warnings = await follow(plane, supervisor, io, progress);
    await supervisor.done.catch((error) => fail(error, out));
    progress.end();
    const summary = readSummary(join(out, "summary.json"));
    io.result({ ...summary, out });
    farewell(io, job, out, summary, warnings);
    if (summary.unsaved !== null) sayUnsaved(io, summary);
    if (interrupts.count > 0) return 130;
    return summary.unsaved === null ? 0 : 1;
  } finally {
    progress.end();
    interrupts.dispose();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The start is written where there is no checkpoint yet. @returns how to resume from there. */
async function begin(start: Start, out: string, resume: string, io: CommandIo): Promise<string> {
  const { checkpoint, store: access } = start.job.spec;
  const store = await openStore(checkpoint.store ?? `file://${join(out, "checkpoints")}`, access);
  const there = (await listCheckpoints(store)).length > 0;
  if (there) return resume; // the coordinator holds it against the job, training.init included
  await start.write(store, io.signal);
  return "latest";
}

/** A folder is one coordinator's. Asked here too, before anything in it is moved. */
function refuseIfRunning(out: string): void {
  const lock = readRunLock(out);
  if (!lock?.alive) return;
  const { job, pid, host } = lock.record;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${out} is in use by the coordinator of job ${job} (pid ${pid} on ${host})`,
    {
      remedy: `see it with plume ctl status ${out}, stop it with plume ctl stop ${out}, or choose another folder with --out DIR`,
    },
  );
}

function overrides({ workers, steps, maxRestarts }: TrainOptions): string[] {
  const set: string[] = [];
  if (steps !== undefined) set.push(`training.steps=${wholeNumber("--steps", steps)}`);
  if (workers !== undefined) {
    const n = wholeNumber("--workers", workers);
    set.push(`workers.replicas=${n}`);
  }
  if (maxRestarts !== undefined) set.push(`workers.maxRestarts=${wholeNumber("--max-restarts", maxRestarts)}`);
  return set;
}

/** A run that starts over leaves the old one where it can be found. */
function moveAside(out: string, io: CommandIo): void {
  if (!existsSync(join(out, "job.yaml"))) return;
  let n = 1;
  while (existsSync(`${out}.${n}`)) n++;
  renameSync(out, `${out}.${n}`);
  io.note(`  the earlier run is now in ${relative(process.cwd(), `${out}.${n}`)}`);
}

/** The first Ctrl-C saves and stops, the second stops at once. */
function watchInterrupts(supervisor: Supervisor, progress: ProgressLine): { readonly count: number; dispose(): void } {
  let count = 0;
  const onSignal = () => {
    count++;
    if (count === 1) {
      progress.note("  stopping after the step in progress, with a checkpoint; Ctrl-C again stops at once");
      supervisor.stop();
    } else {
      supervisor.kill();
      process.exit(130);
    }
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    get count() {
      return count;
    },
    dispose() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

/** Shows every event until the run is over; a coordinator that is started again is watched again. @returns the warnings seen. */
async function follow(plane: Plane, supervisor: Supervisor, io: CommandIo, line: ProgressLine): Promise<string[]> {
  const warnings = new Set<string>();
  let over = false;
  const end = supervisor.done
    .catch(() => {})
    .then(() => {
      over = true;
    });
  const show = (event: RunEvent) => {
    const known = event.kind === "warning" && warnings.has(event.message);
    if (event.kind === "warning") warnings.add(event.message);
    if (!known && (!io.json || event.kind === "warning")) line.show(event);
    if (event.kind === "end") over = true;
  };
  while (!over) {
    await watchOnce(plane, supervisor.address, show);
    if (!over) await Promise.race([end, sleep(WATCH_AGAIN_MS)]);
  }
  return [...warnings];
}

const WATCH_AGAIN_MS = 200;

async function watchOnce(plane: Plane, address: string, show: (event: RunEvent) => void): Promise<void> {
  const client = new ControlServiceClient(address, ...plane.client(address, ownConnection));
  try {
    for await (const { event } of client.watch({}) as AsyncIterable<WatchResponse>) show(JSON.parse(event) as RunEvent);
  } catch {
    // The stream broke with its coordinator: the supervisor tells why, and starts it again.
  } finally {
    client.close();
  }
}

function banner(io: CommandIo, job: Job, out: string, supervisor: Supervisor): void {
  const { training, workers, data, model } = job.spec;
  const levels = PYRAMIDS.includes(model.type) ? ` x [${model.channelMult}]` : "";
  io.print(
    `${job.metadata.name}: ${counted(training.steps, "step")} of ${training.globalBatch} images from ${data.source}, ${model.type} ${model.channels}${levels}`,
  );
  io.print(
    `coordinator on ${supervisor.address}, ${counted(workers.replicas, "worker process", "worker processes")}, run folder ${relative(process.cwd(), out) || "."}`,
  );
  if (supervisor.page) io.print(`watch it at ${supervisor.page.link}`);
}

/** A failure without a remedy gets one: whoever reads it must know what to do next. */
function fail(error: unknown, out: string): never {
  if (!(error instanceof PlumeError) || error.remedy !== undefined) throw error;
  const { code, message } = error;
  const remedy = `see ${join(out, "logs", "coordinator.log")}; to go on where it stopped: ${againCommand(process.argv.slice(2))}`;
  throw new PlumeError(code, message, { remedy, cause: error });
}

/** The work is done and its result is not where it should be. */
function sayUnsaved(io: CommandIo, { steps, unsaved }: Summary): void {
  io.note(`\nTHE LAST CHECKPOINT, OF STEP ${steps}, IS NOT IN THE STORE: ${unsaved!.replaceAll("\n", "\n  ")}`);
  io.note(`  once the store works: ${againCommand(process.argv.slice(2))}`);
}

function farewell(io: CommandIo, job: Job, out: string, summary: Summary, warnings: readonly string[]): void {
  const show = (...parts: string[]) => relative(process.cwd(), join(out, ...parts)) || ".";
  const state = summary.outcome === "complete" ? "trained" : "stopped";
  const from = job.spec.model.lowRes ? ["--from-data", "test"] : [];
  io.print();
  io.print(
    `${job.metadata.name} ${state}: ${counted(summary.steps, "step")}, ${summary.samples} samples, final loss ${summary.finalLoss?.toFixed(4) ?? "-"}, ${summary.samplesPerSecond.toFixed(0)} images/s, ${duration(summary.wallSeconds)}`,
  );
  io.print(`  weights sha256  ${summary.weightsSha256}`);
  io.print(`  EMA sha256      ${summary.emaSha256}`);
  if (summary.checkpoint !== null)
    io.print(`  checkpoint      ${job.spec.checkpoint.store ?? show("checkpoints")} (step ${summary.checkpoint})`);
  io.print(`  loss curve      ${show("loss.svg")}`);
  if (summary.sampleGrid) io.print(`  sample grid     ${show("samples", summary.sampleGrid)}`);
  for (const warning of warnings) io.print(`WARNING: ${warning}`);
  io.print();
  if (summary.outcome === "stopped") io.print(`to go on where it stopped: ${againCommand(process.argv.slice(2))}`);
  else if (givesImages(job.spec.model.type))
    io.print(`to draw samples: ${commandLine("plume", "sample", show(), ...from, "-o", `${job.metadata.name}.png`)}`);
  else io.print(`to see how good it is: ${commandLine("plume", "eval", show())}`);
}
