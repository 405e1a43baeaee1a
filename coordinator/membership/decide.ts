// Who becomes a member, and whether there are enough to train: pure functions of (state, policy), each answer with its
// reason. members.ts keeps the state; the RPC shell only carries out what is decided here.

import { counted } from "../../shared/counted.ts";
import type { WorkerId } from "../../shared/ids.ts";
import type { Member, Members, MembershipPolicy } from "./member.ts";

export type Admission =
  | { readonly kind: "admit"; readonly reason: string }
  /** The same process comes back while its old session still looks open. */
  | { readonly kind: "replace"; readonly reason: string }
  | { readonly kind: "refuse"; readonly reason: string; readonly retry: boolean };

export interface Arrival {
  readonly id: WorkerId;
  readonly instance: string;
  readonly version: string;
}

/** @param banned why this worker may not come back; null when it may. */
export function decideAdmission(
  members: Members,
  { id, instance, version }: Arrival,
  own: { readonly version: string; readonly banned: string | null },
  policy: MembershipPolicy,
): Admission {
  if (version !== own.version)
    return {
      kind: "refuse",
      retry: false,
      reason: `worker ${id} runs plume ${version}, the coordinator plume ${own.version}; install the same version everywhere`,
    };
  if (own.banned !== null) return { kind: "refuse", retry: false, reason: own.banned };
  const present = members.get(id);
  if (present?.instance === instance)
    return { kind: "replace", reason: "it came back before its old session had ended" };
  if (present)
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
  return { kind: "admit", reason: `${members.size + 1} of at most ${policy.max} workers` };
}

export interface Candidate {
  readonly numericsClass: string;
  readonly specDigest: string;
  readonly layoutDigest: string;
  readonly dataDigest: string;
}

/** A welcomed worker has computed its canary: may it take leases? `expected.numericsClass` is null until the first worker names it. */
export function decideReadiness(
  candidate: Candidate,
  expected: Omit<Candidate, "numericsClass"> & { readonly numericsClass: string | null },
  policy: MembershipPolicy,
): Exclude<Admission, { kind: "replace" }> {
  const refuse = (reason: string) => ({ kind: "refuse", retry: false, reason }) as const;
  if (candidate.specDigest !== expected.specDigest)
    return refuse(
      `it was prepared for a job with the digest ${candidate.specDigest}, this one has ${expected.specDigest}; start it anew`,
    );
  if (candidate.layoutDigest !== expected.layoutDigest)
    return refuse("its parameter layout differs from the coordinator's: it runs another version of plume");
  if (candidate.dataDigest !== expected.dataDigest)
    return refuse("its data set differs from the coordinator's; give every worker the same data");
  if (expected.numericsClass === null || candidate.numericsClass === expected.numericsClass)
    return { kind: "admit", reason: `numerics class ${candidate.numericsClass}` };
  const classes = `its canary gives ${candidate.numericsClass}, the run's class is ${expected.numericsClass}: its bits would differ`;
  if (policy.numerics === "strict")
    return refuse(`${classes}. Use the same backend everywhere, or workers.numerics: mixed`);
  return { kind: "admit", reason: `${classes}; admitted under workers.numerics: mixed` };
}

export type Quorum =
  | { readonly kind: "ready"; readonly ready: readonly Member[]; readonly reason: string }
  | { readonly kind: "waiting"; readonly reason: string };

/** A suspect member counts until it is expelled: it may only be slow, and others compute its blocks meanwhile. */
export function decideQuorum(members: Members, policy: MembershipPolicy): Quorum {
  const ready = [...members.values()].filter((member) => member.phase === "ready");
  if (ready.length < policy.min) {
    const joining = [...members.values()].filter((member) => member.phase === "joining").length;
    return {
      kind: "waiting",
      reason: `${ready.length} of at least ${policy.min} workers are ready${joining > 0 ? `, ${joining} joining` : ""}`,
    };
  }
  return { kind: "ready", ready, reason: `${counted(ready.length, "worker")} ready` };
}
