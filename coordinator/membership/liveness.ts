// Is a member alive and at work? Pure: the verdict and its reason, from when it was last heard and what it holds.
// A stopped process keeps its sockets open and a half-open connection breaks nothing, so silence is the only sign of some
// failures; a worker that answers but never finishes shows only on the work that it owes.

import type { LivenessPolicy, Member } from "./member.ts";

export interface Liveness {
  readonly verdict: "well" | "suspect" | "expel";
  readonly reason: string;
}

/** Heartbeats that may be missed before others compute the member's blocks as well. */
const SUSPECT_BEATS = 3;
/** Times what a micro-batch takes here that a lease may rest before its holder is given up. */
const LEASE_FACTOR = 20;

const WELL: Liveness = { verdict: "well", reason: "" };

/** @param pace seconds of one micro-batch by the run's own measure; null: unknown. */
export function decideLiveness(
  nowMs: number,
  member: Member,
  pace: number | null,
  { heartbeatMs, deadlineMs, joinMs }: LivenessPolicy,
): Liveness {
  const silent = nowMs - member.lastHeardMs;
  if (silent > Math.max(deadlineMs, 2 * SUSPECT_BEATS * heartbeatMs))
    return { verdict: "expel", reason: `no heartbeat for ${seconds(silent)} s` };
  if (member.phase === "joining" && nowMs - member.joinedMs > joinMs)
    return { verdict: "expel", reason: `not ready ${seconds(nowMs - member.joinedMs)} s after it joined` };
  if (member.owedMs !== null) {
    const rest = nowMs - member.owedMs;
    const own = member.speed === null ? 0 : 1 / member.speed;
    const limit = Math.max(deadlineMs, LEASE_FACTOR * 1000 * Math.max(own, pace ?? 0));
    if (rest > limit) return { verdict: "expel", reason: `no progress on its leases for ${seconds(rest)} s` };
  }
  if (silent > SUSPECT_BEATS * heartbeatMs)
    return { verdict: "suspect", reason: `no heartbeat for ${seconds(silent)} s` };
  return WELL;
}

const seconds = (ms: number) => (ms / 1000).toFixed(1);
