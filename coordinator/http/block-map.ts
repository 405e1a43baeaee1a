// Who computed which micro-batches, of so many steps that one picture shows all of a run: every stride-th step, the stride
// doubling as the run grows. What comes and goes between two of them is in the events.

import type { BlocksAnswer, Column } from "./api.ts";

export interface Held {
  readonly lo: number;
  readonly hi: number;
  readonly worker: string;
}

export interface BlockMap {
  add(step: number, blocks: readonly Held[]): void;
  view(): BlocksAnswer;
}

/** Steps of which it is known who held what. */
const MOST_COLUMNS = 1_024;

export function createBlockMap(): BlockMap {
  const columns = new Map<number, readonly number[]>();
  const places = new Map<string, number>();
  let stride = 1;
  let newest: Column | null = null;

  const placeOf = (worker: string): number => {
    if (!places.has(worker)) places.set(worker, places.size);
    return places.get(worker)!;
  };

  return {
    add(step, blocks) {
      const numbers = blocks.flatMap(({ lo, hi, worker }) => [lo, hi, placeOf(worker)]);
      if (!newest || step >= newest[0]) newest = [step, numbers];
      if (step % stride !== 0) return;
      columns.set(step, numbers);
      while (columns.size > MOST_COLUMNS) {
        stride *= 2;
        for (const each of columns.keys()) if (each % stride !== 0) columns.delete(each);
      }
    },

    view() {
      const all: Column[] = [...columns].sort(([a], [b]) => a - b);
      if (newest && !columns.has(newest[0])) all.push(newest);
      return { stride, workers: [...places.keys()], columns: all };
    },
  };
}
