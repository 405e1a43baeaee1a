// Snapshots of a running job: often enough that a killed coordinator has little to do again, seldom enough that nobody
// notices. When one is due is decided purely; the saver writes it in the background.

import type { Checkpointer } from "./checkpointer.ts";

export interface SnapshotState {
  readonly nowMs: number;
  /** When the newest one was begun; null before the first. */
  readonly lastMs: number | null;
  /** What the newest one cost, from the copy to the last byte. */
  readonly lastSeconds: number;
  /** One is being written. */
  readonly busy: boolean;
}

/** One is being written for at most this share of the time, whatever interval is asked for. Most of it waits for a disk. */
const LARGEST_SHARE = 0.25;

/** @param everySeconds 0 for none. */
export function decideSnapshot({ nowMs, lastMs, lastSeconds, busy }: SnapshotState, everySeconds: number): boolean {
  if (everySeconds === 0 || busy) return false;
  if (lastMs === null) return true;
  return nowMs - lastMs >= 1000 * Math.max(everySeconds, lastSeconds / LARGEST_SHARE);
}

export interface Snapshotter {
  /** Saves this step when a snapshot is due; resolves once the copy is taken. */
  offer(step: number): Promise<void>;
  /** The newest one took so many seconds to write. */
  took(seconds: number): void;
  settled(): Promise<void>;
}

export interface SnapshotterOptions {
  readonly saver: Checkpointer;
  /** There is too little memory for one now. */
  readonly crowded: () => boolean;
  readonly everySeconds: number;
  readonly now: () => number;
}

export function createSnapshotter({ saver, crowded, everySeconds, now }: SnapshotterOptions): Snapshotter {
  let lastMs: number | null = null;
  let lastSeconds = 0;
  return {
    async offer(step) {
      if (!decideSnapshot({ nowMs: now(), lastMs, lastSeconds, busy: saver.busy || crowded() }, everySeconds)) return;
      lastMs = now();
      await saver.save(step);
    },
    took(seconds) {
      lastSeconds = seconds;
    },
    settled: () => saver.settled(),
  };
}
