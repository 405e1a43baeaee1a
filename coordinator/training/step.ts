// One optimizer step, top to bottom. It exists once its line is in the ledger: before that nothing of it can be seen, after
// it nothing can take it back.
//
// I1. The parameters move, the line is written and the new version is given out under one hold: whoever needs parameters
//     at rest sees the step whole or not at all.
// I2. A step that was stopped before it was whole leaves nothing.

import type { Bus } from "../../shared/bus/bus.ts";
import { type Job, microBatchesPerStep } from "../../shared/config/schema.ts";
import { orderOf } from "../../shared/config/turns.ts";
import { invariant } from "../../shared/invariant.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import type { LedgerWriter } from "../../shared/ledger/ledger.ts";
import { createGradientCollector } from "../aggregation/gradient-collector.ts";
import type { Hold } from "../control/hold.ts";
import type { Dispatcher } from "../dispatcher.ts";
import type { RunFolder } from "../files/run-folder.ts";
import type { SharedMemory } from "../files/shared-memory.ts";
import { type AppliedStep, applySum, type SummedGradient } from "./apply.ts";
import { type Importance, unweightedLoss } from "./importance.ts";
import { ledgerLine } from "./ledger-line.ts";
import { type StepMarks, stepSeconds, workersOf } from "./step-seconds.ts";
import type { StepTracer } from "./step-tracer.ts";

export interface StepContext {
  readonly job: Job;
  readonly datasetSize: number;
  readonly reducer: Reducer;
  readonly dispatcher: Dispatcher;
  readonly importance: Importance;
  /** Whoever holds shards gives them out as this version from now on. */
  readonly serve: (version: number) => Promise<void>;
  readonly sharedMemory: SharedMemory;
  readonly ledger: LedgerWriter;
  readonly folder: RunFolder;
  readonly hold: Hold;
  readonly bus: Bus;
  readonly tracer: StepTracer;
  readonly now: () => number;
  /** Resolves once no save needs the vectors as they are. */
  readonly copied: () => Promise<void>;
  /** A step that was committed before a crash came out with other bits. */
  readonly onOtherBits: (step: number, digest: string, before: string) => void;
}

/** @returns null when the run was stopped before the step was whole. */
export async function trainStep(context: StepContext, step: number, stop: AbortSignal): Promise<AppliedStep | null> {
  const { reducer, hold, now, tracer } = context;
  const started = now();
  using trace = tracer.begin(step);

  // Micro-batches out, partial sums in, the tree closed.
  const gradient = await trace.part("gather", (parent) => gather(context, step, parent, stop));
  if (!gradient) return null;
  const gathered = now();

  // Parameters forward by one version, and the line that makes it a fact.
  const applied = await trace.part("apply", () => hold.exclusive(() => commit(context, step, gradient)));
  reducer.release(gradient.root);
  const committed = now();

  // The new version to everyone, the numbers to whoever watches.
  await trace.part("publish", () => publishParams(context, step + 1));
  report(context, applied, { started, gathered, committed, published: now() });
  return applied;
}

/** Parameters of this version, for workers of this host. */
export const publishParams = ({ sharedMemory, reducer }: StepContext, version: number): Promise<void> =>
  sharedMemory.publish("params", version, (file) => reducer.save(reducer.params, file));

async function gather(
  { job, reducer, dispatcher, importance }: StepContext,
  step: number,
  traceParent: string,
  stop: AbortSignal,
): Promise<SummedGradient | null> {
  const V = microBatchesPerStep(job.spec);
  let root: Vector | undefined;
  const collect = () =>
    createGradientCollector(reducer, V, step, (sum) => {
      root = sum;
    });
  const vectorDigest = await reducer.digest(reducer.params);
  const timestepWeights = importance.sealedWeights;
  dispatcher.open({ kind: "gradient", step, V, vectorDigest, traceParent, timestepWeights, collect });
  const results = await dispatcher.finish(stop);
  if (!results) return null;
  invariant(root, "a finished round has closed its tree");
  return { root, results };
}

async function commit(context: StepContext, step: number, gradient: SummedGradient): Promise<AppliedStep> {
  const { job, reducer, dispatcher, importance, serve, now } = context;
  await context.copied();
  const applied = await applySum(job.spec, reducer, step, gradient, now);
  record(context, applied);
  importance.learn(applied);
  dispatcher.advance(step + 1);
  await serve(step + 1);
  return applied;
}

/** The step exists once its line is in the ledger. */
function record({ job, datasetSize, ledger, onOtherBits }: StepContext, applied: AppliedStep): void {
  const { step, gradDigest } = applied;
  ledger.append(ledgerLine(applied, orderOf(job.spec, datasetSize)));
  const before = ledger.cut.get(step);
  if (before !== undefined && before !== gradDigest) onOtherBits(step, gradDigest, before);
}

function report({ job, folder, bus }: StepContext, applied: AppliedStep, marks: StepMarks): void {
  const { step, loss, lr, gradNorm, skipped, results } = applied;
  const seconds = stepSeconds(applied, marks);
  const imagesPerSecond = job.spec.training.globalBatch / seconds.total;
  const workers = workersOf(results);
  folder.metrics({
    step,
    loss,
    unweightedLoss: unweightedLoss(results),
    lr,
    gradNorm,
    workers,
    imagesPerSecond,
    seconds,
  });
  const blocks = results.map(({ block: { lo, hi }, worker }) => ({ lo, hi, worker }));
  bus.publish({ kind: "step", step, loss, lr, gradNorm, skipped, workers, imagesPerSecond, seconds, blocks });
}
