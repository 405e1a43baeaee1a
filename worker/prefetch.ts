// Loads micro-batches ahead of the compute thread: what a worker computed this step it will most likely compute in the
// next ones too, and the ids of any step are a pure function. A wrong guess costs a little memory, never a wrong batch.

import type { ImageSet, SkippedSample } from "../shared/data/image-set.ts";
import { idsDigest, type SampleOrder, sampleIds } from "../shared/data/order.ts";
import { PlumeError } from "../shared/errors.ts";
import type { Block } from "../shared/tensor/tree.ts";
import type { RawBatch } from "./messages.ts";

interface LoadedBatch extends RawBatch {
  /** Digest of the sample ids that the order has here. */
  readonly ids: string;
  readonly skipped: readonly SkippedSample[];
}

export interface Prefetch {
  /** The block's batches; starts to load the same block of the next steps. */
  take(step: number, block: Block): Promise<LoadedBatch[]>;
}

/** Steps ahead at most: a read of an object store takes as long as several small steps do. */
const STEPS_AHEAD = 4;
/** Micro-batches kept ahead at most, and the bytes of their pixels. */
const LIMIT = 64;
const LIMIT_BYTES = 256 << 20;

export function createPrefetch(set: ImageSet, order: SampleOrder, steps: number): Prefetch {
  const ahead = new Map<string, Promise<LoadedBatch>>();
  const batchBytes = order.microBatch * set.height * set.width * set.channels;
  const limit = Math.min(LIMIT, Math.floor(LIMIT_BYTES / batchBytes));
  // Room for every block of a step before the first of the step after it.
  const depth = Math.max(1, Math.min(STEPS_AHEAD, Math.floor((limit * order.microBatch) / order.globalBatch)));

  const load = async (step: number, index: number): Promise<LoadedBatch> => {
    const ids = sampleIds(order, step, index);
    const { skipped = [], ...batch } = await set.read(ids).catch(notTheCoordinator);
    return { index, ...batch, skipped, ids: idsDigest(ids) };
  };

  const loadAhead = (step: number, index: number): void => {
    const key = `${step}/${index}`;
    if (ahead.has(key) || ahead.size >= Math.max(1, limit)) return;
    const next = load(step, index);
    next.catch(() => {}); // reported when it is taken
    ahead.set(key, next);
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
      for (let next = step + 1; next <= Math.min(step + depth, steps - 1); next++)
        for (const index of indices) loadAhead(next, index);
      return batches;
    },
  };
}

/** To a session, what cannot be reached is the coordinator, and worth another try at once. The data was tried for long. */
function notTheCoordinator(error: unknown): never {
  if (!(error instanceof PlumeError) || (error.code !== "UNAVAILABLE" && error.code !== "DEADLINE_EXCEEDED"))
    throw error;
  const remedy = error.remedy ?? "see to the network and the store of data.source";
  throw new PlumeError("FAILED_PRECONDITION", error.message, { cause: error, remedy });
}
