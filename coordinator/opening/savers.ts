// What saves a run while it goes on: checkpoints to the job's store, snapshots to the run's folder.

import { describeError } from "../../shared/errors.ts";
import { createCheckpointer } from "../checkpointing/checkpointer.ts";
import { createSnapshotter } from "../checkpointing/snapshots.ts";
import type { CoordinatorOptions } from "./options.ts";
import type { Traces } from "./traces.ts";
import type { Training } from "./training.ts";

/** Snapshots kept: one may be torn by the death of its writer. */
const SNAPSHOTS = 2;

export function openSavers({ job, clock, bus }: CoordinatorOptions, training: Training, { log }: Traces) {
  const { set, reducer, store, snapshots, firstStep, from } = training;
  const { keep, snapshotSeconds } = job.spec.checkpoint;
  const now = () => clock.now();
  const checkpointer = createCheckpointer({
    job,
    set,
    store,
    keep,
    reducer,
    now,
    newest: firstStep > 0 && from === "checkpoint" ? firstStep : null,
    onWritten: ({ step, prefix, bytes, seconds }) =>
      bus.publish({ kind: "checkpoint", step, key: prefix, bytes, seconds }),
    onFailed: (step, error) => {
      log.error({ step, err: error }, "checkpoint failed");
      bus.publish({ kind: "checkpoint-failed", step, reason: describeError(error) });
    },
  });
  const snapshotter = createSnapshotter({
    saver: createCheckpointer({
      job,
      set,
      store: snapshots,
      keep: SNAPSHOTS,
      reducer,
      now,
      newest: null,
      onWritten: ({ seconds }) => snapshotter.took(seconds),
      onFailed: (step, error) => log.warn({ step, err: error }, "snapshot failed"),
    }),
    everySeconds: snapshotSeconds,
    now,
  });
  return { checkpointer, snapshotter };
}
