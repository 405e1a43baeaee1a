// A worker that answers but does not finish: a lease past its deadline without progress. A stopped process keeps its
// socket open, so silence on the lease is the only sign of some failures.

import type { Lease } from "../aggregation/round.ts";
import type { Expulsion, Members } from "./decide.ts";

/** No lease is late before this: the first micro-batch compiles and warms up. */
export const LATE_FLOOR_MS = 60_000;
/** Times the expected seconds of one micro-batch. */
const LATE_FACTOR = 20;

export function decideLate(nowMs: number, leases: readonly Lease[], members: Members): Expulsion[] {
  const late = new Map<Expulsion["id"], Expulsion>();
  for (const { worker, block, progressMs } of leases) {
    const speed = members.get(worker)?.speed;
    const queue = leases
      .filter((lease) => lease.worker === worker)
      .reduce((sum, lease) => sum + lease.block.hi - lease.block.lo, 0);
    const limit = Math.max(LATE_FLOOR_MS, speed ? (LATE_FACTOR * queue * 1000) / speed : 0);
    const newest = Math.max(...leases.filter((lease) => lease.worker === worker).map((lease) => lease.progressMs));
    if (nowMs - Math.max(progressMs, newest) > limit)
      late.set(worker, {
        id: worker,
        reason: `no progress on block [${block.lo}, ${block.hi}) for ${((nowMs - newest) / 1000).toFixed(0)} s`,
      });
  }
  return [...late.values()];
}
