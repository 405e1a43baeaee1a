// The members of a run: keeps the state that decide.ts decides on, and tells whoever listens when it changes.
// Owns the map; does not own streams, leases or time.

import { PlumeError } from "../../shared/errors.ts";
import type { WorkerId } from "../../shared/ids.ts";
import {
  type Admission,
  type Candidate,
  decideAdmission,
  decideExpulsions,
  decideQuorum,
  decideReadiness,
  type Expulsion,
  type Member,
  type Members,
  type MembershipPolicy,
  type Quorum,
} from "./decide.ts";

export interface MemberChange {
  readonly id: WorkerId;
  readonly change: "joined" | "left" | "expelled" | "refused";
  readonly reason: string;
}

export interface Membership {
  admit(id: WorkerId): Admission;
  ready(id: WorkerId, candidate: Candidate, description: { device: string; transport: Member["transport"] }): Admission;
  heard(id: WorkerId): void;
  /** A block of `microBatches` took `seconds` of compute on this member. */
  measured(id: WorkerId, microBatches: number, seconds: number): void;
  /** No new leases; what it holds it may finish. */
  leaving(id: WorkerId): void;
  remove(id: WorkerId, change: "left" | "expelled", reason: string): void;
  overdue(): Expulsion[];
  quorum(): Quorum;
  readonly members: Members;
}

export interface MembershipOptions {
  readonly policy: MembershipPolicy;
  readonly layoutDigest: string;
  readonly dataDigest: string;
  readonly now: () => number;
  readonly onChange: (change: MemberChange) => void;
}

/** Weight of the newest block in a member's speed. */
const SPEED_WEIGHT = 0.3;

export function createMembership({ policy, layoutDigest, dataDigest, now, onChange }: MembershipOptions): Membership {
  const members = new Map<WorkerId, Member>();
  let numericsClass: string | null = null;

  const update = (id: WorkerId, change: (member: Member) => Partial<Member>) => {
    const member = members.get(id);
    if (member) members.set(id, { ...member, ...change(member) });
  };

  return {
    members,

    admit(id) {
      const admission = decideAdmission(members, id, policy);
      if (admission.kind === "admit")
        members.set(id, {
          id,
          phase: "joining",
          device: "",
          transport: "grpc",
          numericsClass: "",
          lastHeardMs: now(),
          speed: null,
        });
      else onChange({ id, change: "refused", reason: admission.reason });
      return admission;
    },

    ready(id, candidate, description) {
      if (!members.has(id)) throw new PlumeError("STALE", `worker ${id} is no member; it must join again`);
      const admission = decideReadiness(candidate, { layoutDigest, dataDigest, numericsClass }, policy);
      if (admission.kind === "refuse") {
        members.delete(id);
        onChange({ id, change: "refused", reason: admission.reason });
        return admission;
      }
      numericsClass ??= candidate.numericsClass;
      update(id, () => ({
        ...description,
        phase: "ready",
        numericsClass: candidate.numericsClass,
        lastHeardMs: now(),
      }));
      onChange({ id, change: "joined", reason: `${description.device}, ${description.transport}` });
      return admission;
    },

    heard: (id) => update(id, () => ({ lastHeardMs: now() })),

    measured(id, microBatches, seconds) {
      if (seconds <= 0) return;
      const speed = microBatches / seconds;
      update(id, (member) => ({
        speed: member.speed === null ? speed : member.speed * (1 - SPEED_WEIGHT) + speed * SPEED_WEIGHT,
      }));
    },

    leaving: (id) => update(id, () => ({ phase: "leaving" })),

    remove(id, change, reason) {
      if (members.delete(id)) onChange({ id, change, reason });
    },

    overdue: () => decideExpulsions(now(), members, policy),
    quorum: () => decideQuorum(members, policy),
  };
}
