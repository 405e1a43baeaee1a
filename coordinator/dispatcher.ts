// Keeps one round at a time in the hands of the members: opens it, grants its blocks, re-decides on every change of
// membership, and closes it. The meeting point of rounds, members and sessions.

import { WorkKind } from "../proto/gen/plume/v1/training.ts";
import type { Phase } from "../shared/bus/events.ts";
import type { WorkerId } from "../shared/ids.ts";
import type { Logger } from "../shared/log.ts";
import type { Block } from "../shared/tensor/tree.ts";
import { createRound, type Lease, type Result, type Round, type RoundKind, type Sink } from "./aggregation/round.ts";
import { decideLate } from "./membership/late.ts";
import type { Membership } from "./membership/members.ts";
import type { Sessions } from "./rpc/session.ts";

export interface RoundPlan {
  readonly kind: RoundKind;
  readonly step: number;
  readonly V: number;
  readonly open: (block: Block) => Sink;
}

export interface Dispatcher {
  readonly version: number;
  readonly round: Round | null;
  open(plan: RoundPlan): Round;
  /** Waits for every piece, or returns null when stopped first. */
  finish(round: Round, stop: AbortSignal): Promise<readonly Result[] | null>;
  /** The parameters are at this version now. */
  advance(version: number): void;
  /** The members changed. */
  replan(): void;
  gone(worker: WorkerId): void;
  progress(worker: WorkerId, step: number, block: Block, done: number): void;
  result(lease: Lease, result: Result): void;
  /** Called on a timer: expels who is silent or sits on a lease. */
  patrol(): void;
  fail(error: unknown): void;
}

export interface DispatcherOptions {
  readonly job: string;
  readonly incarnation: number;
  readonly version: number;
  readonly membership: Membership;
  readonly sessions: () => Sessions;
  readonly now: () => number;
  readonly log: Logger;
  readonly setPhase: (phase: Phase, reason: string) => void;
}

export function createDispatcher({
  job,
  incarnation,
  version: initial,
  membership,
  sessions,
  now,
  log,
  setPhase,
}: DispatcherOptions): Dispatcher {
  let version = initial;
  let round: Round | null = null;
  let plan: RoundPlan | null = null;

  const grant = (lease: Lease) => {
    const kind = plan?.kind === "sample" ? WorkKind.WORK_KIND_SAMPLE : WorkKind.WORK_KIND_GRADIENT;
    const tuple = { job, incarnation, step: plan!.step, attempt: lease.attempt };
    sessions().send(lease.worker, { $case: "lease", value: { tuple, ...lease.block, paramsVersion: version, kind } });
  };

  const replan = () => {
    if (!round || !plan) return;
    const quorum = membership.quorum();
    if (quorum.kind === "waiting") return setPhase("Waiting", quorum.reason);
    setPhase(plan.kind === "sample" ? "Sampling" : "Training", quorum.reason);
    round.replan(quorum.ready.map(({ id, speed }) => ({ id, speed })));
  };

  return {
    get version() {
      return version;
    },
    get round() {
      return round;
    },

    open(next) {
      plan = next;
      round = createRound({ ...next, now, grant });
      replan();
      return round;
    },

    async finish(open, stop) {
      let wake = () => {};
      const stopped = new Promise<null>((resolve) => {
        wake = () => resolve(null);
      });
      if (stop.aborted) wake();
      stop.addEventListener("abort", wake, { once: true });
      try {
        // A stop lets the round in progress finish, unless nobody is there to finish it.
        const first = await Promise.race([open.done, stopped]);
        if (first) return first;
        return membership.quorum().kind === "ready" ? await open.done : null;
      } finally {
        stop.removeEventListener("abort", wake);
        round = null;
        plan = null;
      }
    },

    advance(next) {
      version = next;
    },
    replan,

    gone(worker) {
      round?.revoke(worker);
    },

    progress(worker, step, block, done) {
      if (round?.step === step) round.progress(worker, block, done);
    },

    result(lease, { worker, seconds }) {
      if (plan?.kind === "gradient") membership.measured(worker, lease.block.hi - lease.block.lo, seconds.compute ?? 0);
    },

    patrol() {
      const late = round ? decideLate(now(), round.leases, membership.members) : [];
      for (const { id, reason } of [...membership.overdue(), ...late]) {
        log.warn({ worker: id, reason }, "worker expelled");
        sessions().expel(id, reason, true);
      }
    },

    fail: (error) => round?.fail(error),
  };
}
