// data.onError: skip. In the place of a sample that cannot be decoded stands the next one by id that can: a pure function
// of the set, whoever reads it, in whatever order, at whatever step. What a store or a network does is no reason to skip.

import { PlumeError } from "../errors.ts";
import type { ImageSet, SkippedSample } from "./image-set.ts";

/** So many in a row are no accident. */
const MOST_IN_A_ROW = 100;

export type OnSkip = (skipped: SkippedSample, reason: string) => void;

/** @param onSkip called once for each sample that is skipped. */
export function skipCorrupt<S extends ImageSet>(set: S, onSkip: OnSkip = () => {}): S {
  const instead = new Map<number, number>();

  const isCorrupt = async (id: number, signal: AbortSignal | undefined): Promise<PlumeError | null> => {
    try {
      await set.read([id], signal);
      return null;
    } catch (error) {
      if (isDataLoss(error)) return error;
      throw error;
    }
  };

  const settle = async (id: number, signal: AbortSignal | undefined): Promise<void> => {
    const reason = instead.has(id) ? null : await isCorrupt(id, signal);
    if (!reason) return;
    let fault = reason;
    for (let k = 1; k <= Math.min(MOST_IN_A_ROW, set.size - 1); k++) {
      const candidate = (id + k) % set.size;
      const next = await isCorrupt(candidate, signal);
      if (next) {
        fault = next;
        continue;
      }
      if (!instead.has(id)) onSkip({ id, instead: candidate }, reason.message);
      instead.set(id, candidate);
      return;
    }
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `${set.name}: no sample after ${id} can be decoded; the last: ${fault.message}`,
      {
        remedy: "look at the data set: data.onError: skip is for single samples",
        cause: fault,
      },
    );
  };

  return {
    ...set,
    async read(ids, signal) {
      const read = async () => {
        const batch = await set.read(
          ids.map((id) => instead.get(id) ?? id),
          signal,
        );
        const skipped = ids.flatMap((id): SkippedSample[] => {
          const other = instead.get(id);
          return other === undefined ? [] : [{ id, instead: other }];
        });
        return { ...batch, skipped };
      };
      try {
        return await read();
      } catch (error) {
        if (!isDataLoss(error)) throw error;
        for (const id of ids) await settle(id, signal);
        return read();
      }
    },
  } satisfies S;
}

const isDataLoss = (error: unknown): error is PlumeError => error instanceof PlumeError && error.code === "DATA_LOSS";
