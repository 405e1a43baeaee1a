// Loads micro-batches ahead of the compute thread: what a worker computed this step it will most likely compute next
// step too, and the ids of any step are a pure function. A wrong guess costs a little memory, never a wrong batch.

import type { ImageSet } from "../shared/data/image-set.ts";
import { idsDigest, type SampleOrder, sampleIds } from "../shared/data/order.ts";
import type { Block } from "../shared/tensor/tree.ts";
import type { RawBatch } from "./messages.ts";

interface LoadedBatch extends RawBatch {
  /** Digest of the sample ids that were really read. */
  readonly ids: string;
}

export interface Prefetch {
  /** The block's batches; starts to load the same block of the next step. */
  take(step: number, block: Block): Promise<LoadedBatch[]>;
}

/** Micro-batches kept ahead at most. */
const LIMIT = 64;

export function createPrefetch(set: ImageSet, order: SampleOrder, steps: number): Prefetch {
  const ahead = new Map<string, Promise<LoadedBatch>>();

  const load = async (step: number, index: number): Promise<LoadedBatch> => {
    const ids = sampleIds(order, step, index);
    const { pixels, labels } = await set.read(ids);
    return { index, pixels, labels, ids: idsDigest(ids) };
  };

  return {
    async take(step, { lo, hi }) {
      const indices = Array.from({ length: hi - lo }, (_, k) => lo + k);
      const batches = await Promise.all(
        indices.map((index) => {
          const key = `${step}/${index}`;
          const early = ahead.get(key);
          ahead.delete(key);
          return early ?? load(step, index);
        }),
      );
      for (const key of ahead.keys()) if (Number(key.split("/")[0]) <= step) ahead.delete(key);
      if (step + 1 < steps)
        for (const index of indices) {
          if (ahead.size >= LIMIT) break;
          const next = load(step + 1, index);
          next.catch(() => {}); // reported when it is taken
          ahead.set(`${step + 1}/${index}`, next);
        }
      return batches;
    },
  };
}
