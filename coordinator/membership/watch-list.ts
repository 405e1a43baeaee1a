// Workers whose numbers are doubted: each of their blocks is computed by another one as well, until enough of them agreed.

import type { WorkerId } from "../../shared/ids.ts";

/** Blocks of a doubted worker that must agree with another's before it is trusted again. */
export const WATCHED_BLOCKS = 16;

export interface WatchList {
  has(worker: WorkerId): boolean;
  watch(worker: WorkerId): void;
  /** A block of this worker counts. */
  confirmed(worker: WorkerId): void;
}

export function createWatchList(): WatchList {
  const left = new Map<WorkerId, number>();
  return {
    has: (worker) => left.has(worker),
    watch: (worker) => void left.set(worker, WATCHED_BLOCKS),
    confirmed(worker) {
      const more = (left.get(worker) ?? 0) - 1;
      if (more > 0) left.set(worker, more);
      else left.delete(worker);
    },
  };
}
