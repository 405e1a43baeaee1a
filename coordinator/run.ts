// The life of a run: steps until the last one, with checkpoints, pictures and events in between. Reads top to bottom.
// Owns the order of things; the step, the rounds, the members and the files are other rooms' affair.

import type { Bus } from "../shared/bus/bus.ts";
import type { Phase, StepSeconds } from "../shared/bus/events.ts";
import { type Job, microBatchesPerStep } from "../shared/config/schema.ts";
import { rangesOfStep } from "../shared/data/order.ts";
import type { Reducer, Vector } from "../shared/kernels/reducer.ts";
import type { LedgerWriter } from "../shared/ledger/ledger.ts";
import { createGradientCollector } from "./aggregation/gradient-collector.ts";
import type { Checkpointer } from "./checkpointing/checkpointer.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Gallery } from "./gallery.ts";
import type { Hold } from "./hold.ts";
import type { RunFolder } from "./run-folder.ts";
import type { SharedMemory } from "./shared-memory.ts";
import { type CommittedStep, commitStep } from "./step.ts";

export interface RunContext {
  readonly job: Job;
  readonly datasetSize: number;
  readonly reducer: Reducer;
  readonly dispatcher: Dispatcher;
  /** Whoever holds shards gives them out as this version from now on. */
  readonly serve: (version: number) => Promise<void>;
  readonly sharedMemory: SharedMemory;
  readonly ledger: LedgerWriter;
  readonly folder: RunFolder;
  readonly checkpointer: Checkpointer;
  /** Saves to the run's folder when one is due. */
  readonly snapshot: (step: number) => Promise<void>;
  readonly gallery: Gallery;
  readonly hold: Hold;
  readonly bus: Bus;
  readonly now: () => number;
  readonly setPhase: (phase: Phase, reason: string) => void;
  /** A step that was committed before a crash came out with other bits. */
  readonly onOtherBits: (step: number, digest: string, before: string) => void;
}

export interface RunOutcome {
  readonly kind: "complete" | "stopped";
  readonly step: number;
  readonly lastLoss: number;
  /** The last sample grid drawn. */
  readonly sampleGrid: string | null;
}

/** Trains from `firstStep` (the number of committed steps) to the end, or until `stop` is aborted. */
export async function run(context: RunContext, firstStep: number, stop: AbortSignal): Promise<RunOutcome> {
  const { job, reducer, dispatcher, checkpointer, snapshot, gallery, hold, sharedMemory, setPhase } = context;
  const { training, checkpoint, sampling } = job.spec;
  let lastLoss = Number.NaN;
  let sampleGrid: string | null = null;
  let step = firstStep;
  await context.serve(step);
  await sharedMemory.publish("params", step, (file) => reducer.save(reducer.params, file));

  while (step < training.steps && !stop.aborted) {
    if (hold.paused !== null) setPhase("Paused", hold.paused);
    await hold.passed(stop);
    const committed = stop.aborted ? null : await oneStep(context, step, stop);
    if (!committed) break;
    lastLoss = committed.loss;
    step++;
    const last = step === training.steps;
    if (!last && step % checkpoint.everySteps === 0) await saveCheckpoint(context);
    else if (!last) await snapshot(step);
    if (!last && sampling.everySteps > 0 && step % sampling.everySteps === 0)
      sampleGrid = await gallery.draw(step, stop);
  }

  const kind = step === training.steps ? "complete" : "stopped";
  setPhase("Saving", kind === "complete" ? "all steps are done" : "asked to stop");
  await saveCheckpoint(context);
  await checkpointer.settled();
  if (kind === "complete") sampleGrid = await gallery.draw(dispatcher.version, stop);
  return { kind, step, lastLoss, sampleGrid };
}

/** Copies the parameters of the newest step and writes them in the background. */
export async function saveCheckpoint({ ledger, checkpointer, dispatcher, hold }: RunContext): Promise<void> {
  await hold.exclusive(() => {
    ledger.flush(); // a checkpoint is never ahead of the ledger, even when the machine dies
    return checkpointer.save(dispatcher.version);
  });
}

/** @returns null when the run was stopped before the step was whole: then nothing of it exists. */
async function oneStep(context: RunContext, step: number, stop: AbortSignal): Promise<CommittedStep | null> {
  const { job, reducer, dispatcher, sharedMemory, folder, bus, hold, now } = context;
  const { training } = job.spec;
  const started = now();

  // Micro-batches out, partial sums in, the tree closed.
  const gradient = await gatherGradient(context, step, stop);
  if (!gradient) return null;
  const gathered = now();

  // Parameters forward by one version, and the line that makes it a fact.
  const committed = await hold.exclusive(async () => {
    const moved = await commitStep(job.spec, reducer, step, gradient, now);
    record(context, moved);
    dispatcher.advance(step + 1);
    await context.serve(step + 1);
    return moved;
  });
  reducer.release(gradient.root);

  // The new version to everyone, the numbers to whoever watches.
  const beforePublish = now();
  await sharedMemory.publish("params", step + 1, (file) => reducer.save(reducer.params, file));
  const published = now();
  const total = (published - started) / 1000;
  const slowest = (part: string) => Math.max(0, ...sumByWorker(gradient.results, part).values());
  const gather = (gathered - started) / 1000;
  const compute = slowest("compute");
  const seconds: StepSeconds = {
    total,
    gather,
    compute,
    handover: Math.max(0, gather - compute),
    pull: slowest("pull"),
    reduce: committed.seconds.reduce,
    optimize: committed.seconds.optimize,
    publish: (published - beforePublish) / 1000,
  };
  const imagesPerSecond = training.globalBatch / total;
  const workers = new Set(gradient.results.map((result) => result.worker)).size;
  const { loss, lr, gradNorm, skipped } = committed;
  folder.metrics({ step, loss, lr, gradNorm, workers, imagesPerSecond, seconds });
  bus.publish({ kind: "step", step, loss, lr, gradNorm, skipped, workers, imagesPerSecond, seconds });
  return committed;
}

async function gatherGradient({ job, reducer, dispatcher }: RunContext, step: number, stop: AbortSignal) {
  const V = microBatchesPerStep(job.spec);
  let root: Vector | null = null;
  const collect = () =>
    createGradientCollector(reducer, V, step, (sum) => {
      root = sum;
    });
  const vectorDigest = await reducer.digest(reducer.params);
  dispatcher.open({ kind: "gradient", step, V, vectorDigest, collect });
  const results = await dispatcher.finish(stop);
  return results && { root: root as unknown as Vector, results };
}

/** The step exists once its line is in the ledger. */
function record({ job, datasetSize, ledger, onOtherBits }: RunContext, committed: CommittedStep): void {
  const { seed, training } = job.spec;
  const { step, gradDigest } = committed;
  const order = { seed, datasetSize, globalBatch: training.globalBatch, microBatch: training.microBatch };
  ledger.append(ledgerLine(committed, rangesOfStep(order, step)));
  const before = ledger.cut.get(step);
  if (before !== undefined && before !== gradDigest) onOtherBits(step, gradDigest, before);
}

function ledgerLine(committed: CommittedStep, ranges: readonly { epoch: number; from: number; to: number }[]) {
  const { step, loss, gradNorm, lr, gradDigest, skipped, results } = committed;
  return {
    step,
    epoch: ranges[0]!.epoch,
    ranges: ranges.map(({ epoch, from, to }): [number, number, number] => [epoch, from, to]),
    ids: results.flatMap((result) => [...result.ids]),
    blocks: results.map(({ block, worker, attempt }) => ({ lo: block.lo, hi: block.hi, worker, attempt })),
    loss: finite(loss),
    gradNorm: finite(gradNorm),
    lr,
    gradDigest,
    ...(skipped ? { skipped: true } : {}),
  };
}

function sumByWorker(
  results: readonly { worker: string; seconds: Readonly<Record<string, number>> }[],
  part: string,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { worker, seconds } of results) sums.set(worker, (sums.get(worker) ?? 0) + (seconds[part] ?? 0));
  return sums;
}

/** JSON has no NaN and no infinity. */
const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
