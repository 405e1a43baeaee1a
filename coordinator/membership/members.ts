// The members of a run: keeps the state that the decide functions decide on, and tells whoever listens when it changes.
// Owns the map, the bans and the history of failures; does not own streams, leases or time.

import type { WorkerChange } from "../../shared/bus/events.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { WorkerId } from "../../shared/ids.ts";
import {
  type Admission,
  type Arrival,
  type Candidate,
  decideAdmission,
  decideQuorum,
  decideReadiness,
  type Quorum,
} from "./decide.ts";
import { decideLiveness } from "./liveness.ts";
import type { Member, Members, MembershipPolicy } from "./member.ts";
import { decideReadmission, READMISSION } from "./readmission.ts";

export interface MemberChange {
  readonly id: WorkerId;
  readonly change: WorkerChange;
  readonly reason: string;
}

export interface Membership {
  admit(arrival: Arrival): Admission;
  ready(id: WorkerId, candidate: Candidate, description: Pick<Member, "device" | "transport" | "metrics">): Admission;
  heard(id: WorkerId): void;
  /** It was given work. */
  owes(id: WorkerId): void;
  /** A sign of progress. `more`: it still owes something. */
  progressed(id: WorkerId, more: boolean): void;
  /** One micro-batch took `seconds` of compute on this member. */
  measured(id: WorkerId, seconds: number): void;
  /** A block of so many micro-batches was accepted from this member. */
  credited(id: WorkerId, microBatches: number): void;
  /** Share of the parameters that it has pulled; null when done. */
  pulling(id: WorkerId, share: number | null): void;
  /** No new leases; what it holds it may finish. */
  leaving(id: WorkerId): void;
  /** left: as it announced. lost: its session broke. */
  remove(id: WorkerId, change: "left" | "lost" | "expelled", reason: string): void;
  /** Never let in again. */
  ban(id: WorkerId, reason: string): void;
  /** Looks at everyone: marks suspects, returns who must go. */
  patrol(): { readonly id: WorkerId; readonly reason: string }[];
  quorum(): Quorum;
  readonly members: Members;
  /** Where the metrics of those that have any are. */
  readonly metricsTargets: readonly { readonly worker: WorkerId; readonly address: string }[];
  /** Numerics classes of all workers that were ever ready, the run's own first. */
  readonly classes: readonly string[];
}

export interface MembershipOptions {
  readonly policy: MembershipPolicy;
  readonly version: string;
  readonly specDigest: string;
  readonly layoutDigest: string;
  readonly dataDigest: string;
  readonly now: () => number;
  readonly onChange: (change: MemberChange) => void;
}

/** Weight of the newest micro-batch in a member's speed. */
const SPEED_WEIGHT = 0.2;
/** A worker that was slow gets no work and is measured no more: after this long it is given another chance. */
const FORGET_MS = 5_000;

export function createMembership(options: MembershipOptions): Membership {
  const { policy, version, specDigest, layoutDigest, dataDigest, now, onChange } = options;
  const members = new Map<WorkerId, Member>();
  const failures = new Map<WorkerId, number[]>();
  const bans = new Map<WorkerId, string>();
  const classes: string[] = [];

  const update = (id: WorkerId, change: Partial<Member>) => {
    const member = members.get(id);
    if (member) members.set(id, { ...member, ...change });
  };

  const refuse = (id: WorkerId, admission: Admission) => onChange({ id, change: "refused", reason: admission.reason });

  return {
    members,
    classes,
    get metricsTargets() {
      return [...members.values()].flatMap(({ id, metrics }) => (metrics ? [{ worker: id, address: metrics }] : []));
    },

    admit(arrival) {
      const { id, instance } = arrival;
      const admission = decideAdmission(members, arrival, { version, banned: bans.get(id) ?? null }, policy);
      if (admission.kind === "refuse") {
        refuse(id, admission);
        return admission;
      }
      const readmission = decideReadmission(now(), { failuresMs: failures.get(id) ?? [] }, READMISSION);
      if (readmission.kind === "wait") {
        const wait = { kind: "refuse", retry: true, reason: readmission.reason } as const;
        refuse(id, wait);
        return wait;
      }
      members.set(id, {
        id,
        instance,
        phase: "joining",
        suspect: null,
        device: "",
        transport: "grpc",
        metrics: "",
        numericsClass: "",
        joinedMs: now(),
        lastHeardMs: now(),
        speed: null,
        measuredMs: now(),
        owedMs: null,
        microBatches: 0,
        pulled: null,
      });
      return admission;
    },

    ready(id, candidate, description) {
      if (!members.has(id)) throw new PlumeError("STALE", `worker ${id} is no member; it must join again`);
      const expected = { specDigest, layoutDigest, dataDigest, numericsClass: classes[0] ?? null };
      const admission = decideReadiness(candidate, expected, policy);
      if (admission.kind === "refuse") {
        members.delete(id);
        refuse(id, admission);
        return admission;
      }
      const { numericsClass } = candidate;
      if (!classes.includes(numericsClass)) classes.push(numericsClass);
      update(id, { ...description, phase: "ready", numericsClass, lastHeardMs: now() });
      onChange({ id, change: "joined", reason: `${description.device}, ${description.transport}` });
      return admission;
    },

    heard(id) {
      const wasSuspect = members.get(id)?.suspect != null;
      update(id, { lastHeardMs: now(), suspect: null });
      if (wasSuspect) onChange({ id, change: "well", reason: "heard again" });
    },

    owes: (id) => update(id, { owedMs: members.get(id)?.owedMs ?? now() }),
    progressed: (id, more) => update(id, { owedMs: more ? now() : null }),

    measured(id, seconds) {
      const old = members.get(id)?.speed;
      if (seconds <= 0 || old === undefined) return;
      const speed = 1 / seconds;
      const averaged = old === null ? speed : old * (1 - SPEED_WEIGHT) + speed * SPEED_WEIGHT;
      update(id, { speed: averaged, measuredMs: now() });
    },

    credited: (id, microBatches) => update(id, { microBatches: (members.get(id)?.microBatches ?? 0) + microBatches }),
    pulling: (id, pulled) => update(id, { pulled }),
    leaving: (id) => update(id, { phase: "leaving" }),

    remove(id, change, reason) {
      const member = members.get(id);
      if (!member) return;
      members.delete(id);
      // Flapping is to fail before any work is done; a machine that works until it is taken away does not flap.
      if (member.microBatches > 0) failures.delete(id);
      else if (change !== "left") failures.set(id, [...(failures.get(id) ?? []), now()].slice(-10));
      onChange({ id, change, reason });
    },

    ban: (id, reason) => void bans.set(id, reason),

    patrol() {
      const pace = paceOf([...members.values()]);
      const expelled: { id: WorkerId; reason: string }[] = [];
      for (const member of [...members.values()]) {
        const { id, suspect } = member;
        const { verdict, reason } = decideLiveness(now(), member, pace, policy);
        if (verdict === "expel") expelled.push({ id, reason });
        else if (verdict === "suspect" && suspect === null) onChange({ id, change: "suspect", reason });
        if (verdict === "suspect") update(id, { suspect: reason });
        if (member.speed !== null && now() - member.measuredMs > FORGET_MS) update(id, { speed: null });
      }
      return expelled;
    },

    quorum: () => decideQuorum(members, policy),
  };
}

/** Seconds of a micro-batch on the median member. */
function paceOf(members: readonly Member[]): number | null {
  const speeds = members.flatMap(({ speed }) => (speed === null ? [] : [speed])).sort((a, b) => a - b);
  return speeds.length === 0 ? null : 1 / speeds[Math.floor(speeds.length / 2)]!;
}
