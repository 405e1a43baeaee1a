// Who is a member, who must go, and whether there are enough to train: pure functions of (now, state, policy), each
// answer with its reason. members.ts keeps the state; the RPC shell only carries out what is decided here.

import type { WorkerId } from "../../shared/ids.ts";

export interface Member {
  readonly id: WorkerId;
  /** joining: welcomed, computing its canary. ready: may hold leases. leaving: gets no new ones. */
  readonly phase: "joining" | "ready" | "leaving";
  readonly device: string;
  readonly transport: "grpc" | "shm";
  readonly numericsClass: string;
  readonly lastHeardMs: number;
  /** Micro-batches a second, averaged over its last blocks; null until the first one. */
  readonly speed: number | null;
}

export type Members = ReadonlyMap<WorkerId, Member>;

export interface MembershipPolicy {
  readonly min: number;
  readonly max: number;
  readonly heartbeatMs: number;
  /** Heartbeats that may be missed before a member is expelled. */
  readonly missedHeartbeats: number;
  readonly numerics: "strict" | "mixed";
}

export type Admission =
  | { readonly kind: "admit"; readonly reason: string }
  | { readonly kind: "refuse"; readonly reason: string; readonly retry: boolean };

export function decideAdmission(members: Members, id: WorkerId, policy: MembershipPolicy): Admission {
  if (members.has(id))
    return {
      kind: "refuse",
      retry: true,
      reason: `a worker named ${id} is a member already; its stream must end first`,
    };
  if (members.size >= policy.max)
    return {
      kind: "refuse",
      retry: true,
      reason: `${members.size} workers are members and workers.max is ${policy.max}`,
    };
  return { kind: "admit", reason: `${members.size} of at most ${policy.max} workers` };
}

export interface Candidate {
  readonly numericsClass: string;
  readonly layoutDigest: string;
  readonly dataDigest: string;
}

/** A worker that welcomed has computed its canary: may it take leases? `expected.numericsClass` is null until the first worker names it. */
export function decideReadiness(
  candidate: Candidate,
  expected: Omit<Candidate, "numericsClass"> & { readonly numericsClass: string | null },
  policy: MembershipPolicy,
): Admission {
  if (candidate.layoutDigest !== expected.layoutDigest)
    return {
      kind: "refuse",
      retry: false,
      reason: "its parameter layout differs from the coordinator's: it runs another version of plume",
    };
  if (candidate.dataDigest !== expected.dataDigest)
    return {
      kind: "refuse",
      retry: false,
      reason: "its data set differs from the coordinator's; give every worker the same data",
    };
  if (
    expected.numericsClass !== null &&
    candidate.numericsClass !== expected.numericsClass &&
    policy.numerics === "strict"
  )
    return {
      kind: "refuse",
      retry: false,
      reason: `its canary gives ${candidate.numericsClass}, the run's class is ${expected.numericsClass}: its bits would differ. Use the same backend everywhere, or workers.numerics: mixed`,
    };
  return { kind: "admit", reason: `numerics class ${candidate.numericsClass}` };
}

export interface Expulsion {
  readonly id: WorkerId;
  readonly reason: string;
}

export function decideExpulsions(nowMs: number, members: Members, policy: MembershipPolicy): Expulsion[] {
  const limit = policy.heartbeatMs * policy.missedHeartbeats;
  return [...members.values()]
    .filter((member) => nowMs - member.lastHeardMs > limit)
    .map((member) => ({
      id: member.id,
      reason: `no heartbeat for ${((nowMs - member.lastHeardMs) / 1000).toFixed(1)} s`,
    }));
}

export type Quorum =
  | { readonly kind: "ready"; readonly ready: readonly Member[]; readonly reason: string }
  | { readonly kind: "waiting"; readonly reason: string };

export function decideQuorum(members: Members, policy: MembershipPolicy): Quorum {
  const ready = [...members.values()].filter((member) => member.phase === "ready");
  if (ready.length < policy.min) {
    const joining = members.size - ready.length;
    return {
      kind: "waiting",
      reason: `${ready.length} of at least ${policy.min} workers are ready${joining > 0 ? `, ${joining} joining` : ""}`,
    };
  }
  return { kind: "ready", ready, reason: `${ready.length} workers ready` };
}
