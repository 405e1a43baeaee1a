// A member as the run knows it, and what the run asks of its members.

import type { WorkerId } from "../../shared/ids.ts";

export interface Member {
  readonly id: WorkerId;
  /** The process behind the name: the same one may replace its own broken session at once. */
  readonly instance: string;
  /** joining: welcomed, computing its canary. ready: may hold leases. leaving: gets no new ones. */
  readonly phase: "joining" | "ready" | "leaving";
  /** Why it gets no new leases and others compute its blocks as well; null when it is heard. */
  readonly suspect: string | null;
  readonly device: string;
  readonly transport: "grpc" | "shm";
  /** host:port of its metrics; empty where they cannot be reached. */
  readonly metrics: string;
  readonly numericsClass: string;
  readonly joinedMs: number;
  readonly lastHeardMs: number;
  /** Micro-batches a second, averaged over the newest ones; null until the first, and when it is long out of date. */
  readonly speed: number | null;
  readonly measuredMs: number;
  /** Since when work is owed without a sign of progress; null when nothing is owed. A lease that was taken back is owed
   * until the worker says that its device is free again. */
  readonly owedMs: number | null;
  /** Micro-batches of accepted blocks. */
  readonly microBatches: number;
  /** Share of the parameters pulled while joining or catching up; null when nothing is being pulled. */
  readonly pulled: number | null;
}

export type Members = ReadonlyMap<WorkerId, Member>;

export interface LivenessPolicy {
  readonly heartbeatMs: number;
  /** No deadline is shorter: after so much silence, or so long on a lease without progress, a member is expelled. */
  readonly deadlineMs: number;
  /** A joining member opens its data, starts its device and computes its canary. */
  readonly joinMs: number;
}

export interface MembershipPolicy extends LivenessPolicy {
  readonly min: number;
  readonly max: number;
  readonly numerics: "strict" | "mixed";
}
