// When a snapshot is due: often enough that a killed coordinator has little to do again, seldom enough that nobody
// notices. Pure.

export interface SnapshotState {
  readonly nowMs: number;
  /** When the newest one was begun; null before the first. */
  readonly lastMs: number | null;
  /** What the newest one cost, from the copy to the last byte. */
  readonly lastSeconds: number;
  /** One is being written. */
  readonly busy: boolean;
}

/** Snapshots take at most this share of the time, whatever interval is asked for. */
const LARGEST_SHARE = 0.05;

/** @param everySeconds 0 for none. */
export function decideSnapshot({ nowMs, lastMs, lastSeconds, busy }: SnapshotState, everySeconds: number): boolean {
  if (everySeconds === 0 || busy) return false;
  if (lastMs === null) return true;
  return nowMs - lastMs >= 1000 * Math.max(everySeconds, lastSeconds / LARGEST_SHARE);
}
