// Checkpoints of a running job: a copy of every vector is taken between two steps, then written in the background.
// A save that fails is reported and never stops training. Two of them run: one for the store that the job names, one for
// snapshots in the run's folder, from which a killed coordinator goes on.

import { applyRetention } from "../../shared/checkpoint/retention.ts";
import { writeCheckpoint } from "../../shared/checkpoint/write.ts";
import type { Job } from "../../shared/config/schema.ts";
import type { ImageSetCard } from "../../shared/data/image-set.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";

export interface Checkpointer {
  /** Resolves once the copy is taken; at most one write is in flight, so it first waits for the one before. */
  save(step: number): Promise<void>;
  /** Resolves when nothing is being written. */
  settled(): Promise<void>;
  /** Something is being written. */
  readonly busy: boolean;
  /** The newest step that is safely written. */
  readonly newest: number | null;
}

interface Written {
  readonly step: number;
  readonly prefix: string;
  readonly bytes: number;
  readonly seconds: number;
}

export interface CheckpointerOptions {
  readonly job: Job;
  readonly set: ImageSetCard;
  readonly store: ObjectStore;
  readonly keep: number;
  readonly reducer: Reducer;
  readonly now: () => number;
  /** Steps written already by the run that is resumed. */
  readonly newest: number | null;
  readonly onWritten: (written: Written) => void;
  readonly onFailed: (step: number, error: unknown) => void;
}

export function createCheckpointer(options: CheckpointerOptions): Checkpointer {
  const { job, set, store, keep, reducer, now, onWritten, onFailed } = options;
  let newest = options.newest;
  let writing: Promise<void> = Promise.resolve();
  let busy = false;

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
      onWritten({ step, ...written, seconds: (now() - started) / 1000 });
      await applyRetention(store, keep);
    } catch (error) {
      onFailed(step, error);
    } finally {
      busy = false;
    }
  };

  return {
    get newest() {
      return newest;
    },
    get busy() {
      return busy;
    },
    async save(step) {
      await writing;
      if (newest === step) return;
      const copy = (vector: Vector) => Promise.all(reducer.layout.shards.map((shard) => reducer.read(vector, shard)));
      const vectors: Record<string, Float32Array[]> = {
        params: await copy(reducer.params),
        ema: await copy(reducer.ema),
      };
      for (const [name, vector] of Object.entries(reducer.moments)) vectors[`moments.${name}`] = await copy(vector);
      busy = true;
      writing = write(step, vectors);
    },
    settled: () => writing,
  };
}
