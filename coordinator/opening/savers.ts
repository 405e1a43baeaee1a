// What saves a run while it goes on: checkpoints to the job's store, snapshots to the run's folder.

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { extendLedger } from "../../shared/checkpoint/ledger-chain.ts";
import { sleep } from "../../shared/clock.ts";
import { describeError } from "../../shared/errors.ts";
import { historyFiles } from "../../shared/pipeline/importance.ts";
import { warmUp } from "../checkpointing/capture.ts";
import { createCheckpointer } from "../checkpointing/checkpointer.ts";
import { createSnapshotter } from "../checkpointing/snapshots.ts";
import type { CoordinatorOptions } from "./options.ts";
import type { Traces } from "./traces.ts";
import type { Training } from "./training.ts";

/** Snapshots kept: one may be torn by the death of its writer. */
const SNAPSHOTS = 2;

export function openSavers(
  { job, clock, bus }: CoordinatorOptions,
  training: Training,
  { log, ledger, chain, accounts, incarnation, tracer }: Traces,
) {
  const { set, reducer, importance, buffers, store, snapshots, firstStep, from, warnings } = training;
  const { keep, keepEvery, snapshotSeconds, retrySeconds, bufferMiB } = job.spec.checkpoint;
  const now = () => clock.now();
  void warmUp(reducer, buffers);
  /** Why the newest save failed; null when it did not. */
  let failure: { readonly step: number; readonly reason: string } | null = null;

  let warned = false;
  const onStall = (seconds: number, short: boolean) => {
    accounts.saved({ stallSeconds: seconds });
    if (!short || warned) return;
    warned = true;
    const message = `training waited ${seconds.toFixed(2)} s for memory of a save, and will again: checkpoint.bufferMiB ${bufferMiB} is full of what the store has not taken yet; raise it, or checkpoint.everySteps`;
    warnings.push(message);
    log.warn(message);
    bus.publish({ kind: "warning", message });
  };
  const onKept = (error: unknown) => log.warn({ err: error }, "old checkpoints could not be removed");
  const common = {
    job,
    set,
    reducer,
    buffers,
    files: () => historyFiles(importance.history),
    now,
    sleep,
    writer: `${hostname()}:${process.pid}, incarnation ${incarnation} of ${job.metadata.name}, ${randomBytes(4).toString("hex")}`,
    onStall,
    onKept,
  };

  const checkpointer = createCheckpointer({
    ...common,
    store,
    keep,
    keepEvery,
    patienceMs: 1000 * retrySeconds,
    chain,
    ledger: (newest) => {
      const extend = extendLedger(newest, ledger.lines);
      return async (step, put) => {
        await ledger.flush(); // a checkpoint is never ahead of the ledger, even when the machine dies
        return extend(step, put);
      };
    },
    newest: firstStep > 0 && from === "checkpoint" ? firstStep : null,
    onWritten({ prefix, ...written }) {
      failure = null;
      accounts.saved({ written: 1 });
      tracer.saved(written.step, written.seconds);
      bus.publish({ kind: "checkpoint", key: prefix, ...written });
    },
    onRetry(step, error, afterMs) {
      accounts.saved({ retried: 1 });
      const reason = describeError(error);
      log.warn({ step, reason, afterMs }, "the checkpoint is tried again");
      bus.publish({ kind: "checkpoint-retry", step, reason, afterSeconds: afterMs / 1000 });
    },
    onFailed(step, error) {
      failure = { step, reason: describeError(error) };
      accounts.saved({ failed: 1 });
      tracer.saved(step, 0, error);
      log.error({ step, err: error }, "checkpoint failed");
      bus.publish({ kind: "checkpoint-failed", ...failure });
    },
  });
  let snapshotFailed = false;
  const snapshotSaver = createCheckpointer({
    ...common,
    store: snapshots,
    keep: SNAPSHOTS,
    patienceMs: 0,
    newest: null,
    onWritten({ seconds }) {
      snapshotFailed = false;
      snapshotter.took(seconds);
    },
    onRetry: () => {},
    onFailed(step, error) {
      // Said once: the next one fails as this one did, and they are many.
      if (!snapshotFailed) log.warn({ step, err: error }, "snapshot failed");
      snapshotFailed = true;
    },
  });
  const snapshotter = createSnapshotter({
    saver: snapshotSaver,
    // The store's copies have the memory first.
    crowded: () => checkpointer.busy && buffers.used > buffers.limit / 2,
    everySeconds: snapshotSeconds,
    now,
  });

  return {
    checkpointer,
    snapshotter,
    copied: async () => {
      await checkpointer.copied();
      await snapshotSaver.copied();
    },
    /** Why this step is not in the store; where it is not, it is saved in the run's folder, from which the next start saves it. */
    async unsaved(step: number): Promise<string | null> {
      if (checkpointer.newest === step) return null;
      const reason = failure?.step === step ? failure.reason : "it was not written";
      await snapshotSaver.save(step);
      await snapshotSaver.settled();
      if (snapshotSaver.newest === step)
        return `${reason}\nit is saved in the run's folder, and the same command puts it into the store`;
      return `${reason}\nit could not be saved in the run's folder either: it is lost with this process`;
    },
  };
}
