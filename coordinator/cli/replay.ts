// plume audit --replay: a committed step computed again on this machine, from the nearest checkpoint at or below it. The
// steps in between are computed and applied again as well, each compared with the ledger.

import { join } from "node:path";
import { openBackend } from "../../shared/backends/index.ts";
import { locateCheckpoint } from "../../shared/checkpoint/locate.ts";
import { listCheckpoints, useCheckpoint } from "../../shared/checkpoint/read.ts";
import { firstDifference } from "../../shared/config/identity.ts";
import { type JobSpec, microBatchesPerStep } from "../../shared/config/schema.ts";
import type { ImageSet } from "../../shared/data/image-set.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { sampleIds } from "../../shared/data/order.ts";
import type { LossHistory } from "../../shared/diffusion/importance.ts";
import { PlumeError } from "../../shared/errors.ts";
import { type FrozenModels, readFrozen } from "../../shared/frozen/read.ts";
import { createVectorHeap } from "../../shared/kernels/kernels.ts";
import { openReducer } from "../../shared/kernels/open-reducer.ts";
import type { Reducer } from "../../shared/kernels/reducer.ts";
import type { LedgerLine } from "../../shared/ledger/line.ts";
import { readLedger } from "../../shared/ledger/read.ts";
import { blockGradient } from "../../shared/pipeline/block-gradient.ts";
import { openCaptions } from "../../shared/pipeline/captions.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { openFrozen } from "../../shared/pipeline/frozen.ts";
import { freshHistory, restoredHistory, weightsBy, withStep } from "../../shared/pipeline/importance.ts";
import { initialise, restore } from "../../shared/pipeline/initial-state.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { applyGradient, gradientNorm } from "../../shared/pipeline/update.ts";
import { fileStore } from "../../shared/store/file.ts";
import { flatten } from "../../shared/tensor/flat.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { openWire } from "../../shared/wire/index.ts";
import type { CommandIo } from "./action.ts";
import type { AuditedRun, Replay } from "./commands/audit.ts";

export const replay: Replay = async (run, step, io) => {
  const ledger = readSteps(run, step);
  const { spec } = run.job;
  const set = await openImageSet(spec.data, { access: spec.store, signal: io.signal });
  try {
    if (set.digest !== run.dataset.digest)
      throw new PlumeError("FAILED_PRECONDITION", `${set.name} is not the data that the run was trained on`, {
        remedy: "give the audit the same files, where the run's job names them",
      });
    const network = await buildNetwork(spec, set);
    const layout = buildLayout(network.params);
    await using reducer = await openReducer({ layout, optimizer: spec.training.optimizer.type, maxVectors: 1 });
    const { classifier: _, prior: __, ...models } = spec.models; // nothing but pictures is made with these
    const frozen = await readFrozen({ ...spec, models }, set);
    const { text, ...networks } = frozen;
    const start = await loadStart(run, step, { reducer, frozen }, io);

    const backend = await openBackend(spec.workers.backend, spec.workers.threads);
    const V = microBatchesPerStep(spec);
    const heap = createVectorHeap(layout, openWire(spec.training, spec.seed));
    const readCaptions = await openCaptions(spec, text, backend.program);
    const compute = createMicroBatch(spec, network, layout, set, backend, await openFrozen(networks), readCaptions);
    const params = createDeviceParams(layout);
    const root = reducer.allocate();
    let { history } = start;

    for (let at = start.step; ; at++) {
      // Its gradient, from the parameters as they were before it.
      params.load(flatten(layout, reducer.params));
      const batches = await readStep(run, set, at, io.signal);
      const work = { step: at, block: { lo: 0, hi: V }, batches, weights: weightsBy(history) };
      const { sum, sampleLosses } = await blockGradient(heap, compute, params, work);
      const digest = heap.digest(sum);
      for (const { index, offset, size } of layout.shards)
        root.shard(index).set(sum.floats.subarray(offset, offset + size));
      heap.release(sum);
      const gradNorm = await gradientNorm(spec, reducer, root);

      const replayed = at - start.step;
      const report = { step, from: start.step, replayed };
      const begun = `computed again from ${start.words}${onTheWay(replayed)}`;
      const difference = differenceOf(ledger.get(at), digest, gradNorm);
      if (difference !== null) {
        const aim = at < step ? `, before step ${step} was reached` : "";
        const message = `step ${at} ${begun} differs on ${backend.name}${aim}: ${difference}`;
        return { ...report, ok: false, differs: at, message };
      }
      io.note(`  step ${at}: the same digest (${replayed + 1} of ${step - start.step + 1})`);
      if (at === step)
        return {
          ...report,
          ok: true,
          differs: null,
          message: `step ${step} ${begun}: the same gradient, digest ${digest}`,
        };

      // Its update.
      const { skipped } = await applyGradient(spec, reducer, at, root, gradNorm, ledger.get(at)!.lr);
      if (history && !skipped) history = withStep(history, spec, at, sampleLosses);
    }
  } finally {
    await set.close();
  }
};

type LedgerEntry = Pick<LedgerLine, "gradDigest" | "lr" | "skipped">;

/** What the ledger has of every step up to this one. @throws PlumeError NOT_FOUND when it has no line of the step itself. */
function readSteps(run: AuditedRun, step: number): ReadonlyMap<number, LedgerEntry> {
  const entries = new Map<number, LedgerEntry>();
  for (const { step: at, gradDigest, lr, skipped } of readLedger(join(run.dir, "ledger.ndjson"))) {
    entries.set(at, { gradDigest, lr, skipped });
    if (at === step) return entries;
  }
  const steps = [...entries.keys()];
  throw new PlumeError("NOT_FOUND", `step ${step} cannot be computed again: the ledger has no line of it`, {
    remedy:
      steps.length === 0
        ? "nothing was committed yet: the ledger is empty"
        : `name a step from ${steps[0]} to ${steps.at(-1)}`,
  });
}

interface Start {
  /** The first step to compute. */
  readonly step: number;
  /** For a person: "the checkpoint of step 25". */
  readonly words: string;
  /** Of losses that time steps are drawn by. */
  readonly history: LossHistory | null;
}

/** Fills the reducer with the newest whole state of this run at or below the step. */
async function loadStart(
  run: AuditedRun,
  step: number,
  { reducer, frozen }: { readonly reducer: Reducer; readonly frozen: FrozenModels },
  io: CommandIo,
): Promise<Start> {
  for (const { kind, store, step: at } of await savedStates(run, step, io)) {
    const words = `the ${kind} of step ${at}`;
    try {
      const { other, history } = await useCheckpoint(store, at, async (saved) => {
        const other = otherRun(run, saved.job.spec, saved.state.imageSet.digest);
        if (other !== null) return { other, history: null };
        await restore(reducer, saved);
        return { other, history: await restoredHistory(run.job.spec, saved) };
      });
      if (other === null) return { step: at, words, history };
      io.note(`  ${words} was passed over: ${other}`);
    } catch (error) {
      // Removed since it was listed (a running job does), or damaged: an earlier one gives the same bits.
      if (!(error instanceof PlumeError)) throw error;
      io.note(`  ${words} was passed over: ${error.message}`);
    }
  }
  const { spec } = run.job;
  await initialise(reducer, spec, frozen);
  const { init } = spec.training;
  const words = init === undefined ? `the fresh parameters of seed ${spec.seed}` : `models.${init}`;
  return { step: 0, words, history: freshHistory(spec) };
}

/** Checkpoints, and the snapshots that a run keeps while it lives, nearest first. */
async function savedStates(run: AuditedRun, step: number, io: CommandIo) {
  const places = [
    { kind: "checkpoint", store: (await locateCheckpoint(run.dir)).store },
    { kind: "snapshot", store: fileStore(join(run.dir, "snapshots")) },
  ];
  const lists = places.map(async ({ kind, store }) => {
    const passedOver = (reason: string) => io.note(`  a ${kind} was passed over: ${reason}`);
    const saved = await listCheckpoints(store, (at, reason) => at <= step && passedOver(reason)).catch((error) => {
      if (!(error instanceof PlumeError)) throw error;
      passedOver(error.message);
      return [];
    });
    return saved.filter((one) => one.step <= step).map((one) => ({ kind, store, step: one.step }));
  });
  return (await Promise.all(lists)).flat().sort((a, b) => b.step - a.step);
}

/** A store may hold another run's checkpoints. @returns what tells them apart, or null. */
function otherRun({ job, dataset }: AuditedRun, spec: JobSpec, datasetDigest: string): string | null {
  const other = firstDifference(spec, job.spec);
  if (other) return `it has ${other.path} ${JSON.stringify(other.was)}, the run ${JSON.stringify(other.is)}`;
  return datasetDigest === dataset.digest ? null : "it was trained on other data";
}

/** Every micro-batch of a step. */
async function readStep({ order, job }: AuditedRun, set: ImageSet, step: number, signal: AbortSignal) {
  signal.throwIfAborted();
  const indices = Array.from({ length: microBatchesPerStep(job.spec) }, (_, index) => index);
  return Promise.all(
    indices.map(async (index) => ({ index, ...(await set.read(sampleIds(order, step, index), signal)) })),
  );
}

/** What differs between the ledger's step and the one computed here, or null. */
function differenceOf(recorded: LedgerEntry | undefined, digest: string, gradNorm: number): string | null {
  if (!recorded) return "the ledger has no line of it";
  if (recorded.gradDigest !== digest)
    return `its gradient has digest ${digest}, the ledger says ${recorded.gradDigest}`;
  const skipped = !Number.isFinite(gradNorm);
  if (skipped === (recorded.skipped ?? false)) return null;
  return skipped
    ? "its gradient is not finite, the ledger says that it was applied"
    : "its gradient is finite, the ledger says that it was skipped";
}

function onTheWay(replayed: number): string {
  if (replayed === 0) return "";
  return replayed === 1
    ? " (1 step replayed on the way, the same)"
    : ` (${replayed} steps replayed on the way, all the same)`;
}
