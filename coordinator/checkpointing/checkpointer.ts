// Checkpoints of a running job: a copy of every vector is taken between two steps, then written in the background.
// A save that fails is reported and never stops training.

import type { Bus } from "../../shared/bus/bus.ts";
import { applyRetention } from "../../shared/checkpoint/retention.ts";
import { writeCheckpoint } from "../../shared/checkpoint/write.ts";
import type { Job } from "../../shared/config/schema.ts";
import type { ImageSet } from "../../shared/data/image-set.ts";
import { describeError } from "../../shared/errors.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import type { Logger } from "../../shared/log.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";

export interface Checkpointer {
  /** Resolves once the copy is taken; at most one write is in flight, so it first waits for the one before. */
  save(step: number): Promise<void>;
  /** Resolves when nothing is being written. */
  settled(): Promise<void>;
  /** The newest step that is safely written. */
  readonly newest: number | null;
}

export interface CheckpointerOptions {
  readonly job: Job;
  readonly set: ImageSet;
  readonly store: ObjectStore;
  readonly reducer: Reducer;
  readonly bus: Bus;
  readonly log: Logger;
  readonly now: () => number;
  /** Steps written already by the run that is resumed. */
  readonly newest: number | null;
}

export function createCheckpointer(options: CheckpointerOptions): Checkpointer {
  const { job, set, store, reducer, bus, log, now } = options;
  let newest = options.newest;
  let writing: Promise<void> = Promise.resolve();

  const write = async (step: number, vectors: Record<string, Float32Array[]>) => {
    const started = now();
    try {
      const written = await writeCheckpoint(store, {
        job,
        layout: reducer.layout,
        step,
        set,
        vectors: Object.fromEntries(
          Object.entries(vectors).map(([name, shards]) => [name, (shard: number) => shards[shard]!]),
        ),
      });
      newest = step;
      bus.publish({
        kind: "checkpoint",
        step,
        key: written.prefix,
        bytes: written.bytes,
        seconds: (now() - started) / 1000,
      });
      await applyRetention(store, job.spec.checkpoint.keep);
    } catch (error) {
      log.error({ step, err: error }, "checkpoint failed");
      bus.publish({ kind: "checkpoint-failed", step, reason: describeError(error) });
    }
  };

  return {
    get newest() {
      return newest;
    },
    async save(step) {
      await writing;
      if (newest === step) return;
      const copy = (vector: Vector) =>
        reducer.layout.shards.map((shard) => Float32Array.from(vector.shard(shard.index)));
      const vectors: Record<string, Float32Array[]> = { params: copy(reducer.params), ema: copy(reducer.ema) };
      for (const [name, vector] of Object.entries(reducer.moments)) vectors[`moments.${name}`] = copy(vector);
      writing = write(step, vectors);
    },
    settled: () => writing,
  };
}
