// Keeps one round at a time in the hands of the members: opens it, grants its blocks, orders copies, re-decides on every
// change of membership and on a timer, and closes it. The meeting point of rounds, members and sessions, and the only
// place that says whether a message still counts. It decides nothing alone: planner/ and membership/ do.
//
// I1. A result counts only under the tuple (job, incarnation, step, attempt) of a live lease.
// I2. A round closes once every leaf is accepted and collected, and then exactly once.
// I3. Leases go to ready members that are not suspect, and to nobody else.

import { type Lease as LeaseMessage, type Tuple, WorkKind } from "../proto/gen/plume/v1/training.ts";
import type { Phase } from "../shared/bus/events.ts";
import { PlumeError } from "../shared/errors.ts";
import type { WorkerId } from "../shared/ids.ts";
import type { Block } from "../shared/tensor/tree.ts";
import {
  type Claim,
  createRound,
  type Lease,
  type Result,
  type Round,
  type RoundKind,
  type Verdict,
} from "./aggregation/round.ts";
import type { Collector, Sink } from "./aggregation/sink.ts";
import type { Member } from "./membership/member.ts";
import type { Membership } from "./membership/members.ts";
import { createWatchList, WATCHED_BLOCKS } from "./membership/watch-list.ts";
import { decideCopies } from "./planner/copies.ts";
import { decideGrants } from "./planner/grants.ts";
import type { DecisionLog } from "./reporting/decisions.ts";
import { createWorkMeter, type WorkMeter } from "./reporting/work-meter.ts";

interface RoundPlan {
  readonly kind: RoundKind;
  readonly step: number;
  readonly V: number;
  /** Digest of the parameters (gradient) or of the EMA (sample) that the work begins with, and the span it is a part of. */
  readonly vectorDigest: string;
  readonly traceParent: string;
  /** Weights of the time steps, sealed for the way; absent where all are alike. */
  readonly timestepWeights?: Buffer | undefined;
  /** Makes the place where payloads go; called again when the round has to begin again. */
  readonly collect: () => Collector;
}

/** What names a piece of work in a message. */
interface Address {
  readonly tuple: Tuple | undefined;
  readonly kind: RoundKind;
  readonly block: Block;
}

/** What the dispatcher asks of the sessions. */
export interface Outbox {
  lease(worker: WorkerId, lease: LeaseMessage): void;
  revoke(worker: WorkerId, tuple: Tuple, block: Block): void;
  /** Ends a member's session; with `retry` it may come back as new. */
  expel(worker: WorkerId, reason: string, retry: boolean): void;
}

export interface Dispatcher {
  /** Version of the parameters: the number of committed steps. */
  readonly version: number;
  readonly round: Round<Sink> | null;
  /** What was not simply computed and used. */
  readonly work: WorkMeter["counts"];
  open(plan: RoundPlan): void;
  /** Waits until the round is whole, or returns null when stopped first. */
  finish(stop: AbortSignal): Promise<readonly Result[] | null>;
  /** The parameters are at this version now. */
  advance(version: number): void;
  /** The members changed, or time has passed: who should compute what? */
  replan(): void;
  /** A member's session is over. */
  gone(worker: WorkerId): void;
  /** It finishes the block in hand and gives back the others. */
  leaving(worker: WorkerId): void;
  progress(worker: WorkerId, address: Address, done: number, seconds: number): void;
  claim(worker: WorkerId, address: Address, digest: string): Claim;
  /** A place for the payload of a claimed lease. */
  receive(lease: Lease): Sink;
  /** The payload is in and whole. */
  handIn(lease: Lease, result: Result, payload: Sink): Verdict<Sink>;
  /** Called on a timer: expels who is silent or sits on a lease, and orders copies of what is late. */
  patrol(): void;
  fail(error: unknown): void;
}

export interface DispatcherOptions {
  readonly job: string;
  readonly incarnation: number;
  readonly version: number;
  readonly membership: Membership;
  readonly outbox: () => Outbox;
  readonly now: () => number;
  readonly decisions: DecisionLog;
  readonly setPhase: (phase: Phase, reason: string) => void;
  /** True for blocks that a second worker must compute as well. */
  readonly audited: (step: number, block: Block) => boolean;
  /** A step begins again after so many seconds. */
  readonly onRedo: (seconds: number) => void;
  /** Two workers gave different bits for the same block. */
  readonly onDifference: (reason: string) => void;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { job, incarnation, membership, outbox, now, decisions, setPhase, audited, onRedo, onDifference } = options;
  let version = options.version;
  let plan: RoundPlan | null = null;
  let round: Round<Sink> | null = null;
  /** The round before: a copy of one of its blocks may still come in, and is compared. */
  let previous: Round<Sink> | null = null;
  let collector: Collector | null = null;
  let collected = 0;
  /** Grows when a round begins again: what was collected before does not count. */
  let generation = 0;
  let settle: { resolve: (results: readonly Result[] | null) => void; reject: (error: unknown) => void } | null = null;
  let done: Promise<readonly Result[] | null> = Promise.resolve(null);
  let stopping = false;
  let openedMs = 0;
  let sharedAmong = "";
  const watchList = createWatchList();
  const meter = createWorkMeter();

  const roundOf = (kind: RoundKind, step: number) =>
    [round, previous].find((candidate) => candidate?.kind === kind && candidate.step === step);

  const tupleOf = (attempt: number): Tuple => ({ job, incarnation, step: round!.step, attempt });

  const lend = ({ worker, block, attempt }: Lease) => {
    const kind = round!.kind === "sample" ? WorkKind.WORK_KIND_SAMPLE : WorkKind.WORK_KIND_GRADIENT;
    membership.owes(worker);
    const { vectorDigest, traceParent, timestepWeights } = plan!;
    const { lo, hi } = block;
    const what = { lo, hi, paramsVersion: version, kind, vectorDigest, traceParent, timestepWeights };
    outbox().lease(worker, { tuple: tupleOf(attempt), ...what });
  };

  const takeBack = (leases: readonly Lease[]) => {
    for (const { worker, block, attempt } of leases) outbox().revoke(worker, tupleOf(attempt), block);
  };

  const replan = () => {
    if (!round) return;
    const quorum = membership.quorum();
    if (quorum.kind === "waiting") {
      setPhase("Waiting", quorum.reason);
      if (stopping) settle?.resolve(null);
      return;
    }
    const able = quorum.ready.filter(({ suspect }) => suspect === null);
    grantPending(round, able);
    orderCopies(round, quorum.ready);
    const open = undecided(round, able);
    if (open) setPhase("Waiting", open);
    else setPhase(round.kind === "sample" ? "Sampling" : "Training", quorum.reason);
  };

  /** What nobody computes goes to those who can, in proportion to their speed. */
  const grantPending = (current: Round<Sink>, able: readonly Member[]) => {
    const queued = queueOf(current);
    const workers = able.map(({ id, speed }) => ({ id, speed, queued: queued.get(id) ?? 0 }));
    const grants = decideGrants(current.pending, current.V, workers);
    for (const { worker, block } of grants) {
      const compare = current.kind === "gradient" && (watchList.has(worker) || audited(current.step, block));
      lend(current.begin(now(), worker, block, compare && able.length > 1));
    }
    const among = able.map(({ id }) => id).join(", ");
    if (grants.length === 0 || among === sharedAmong) return;
    sharedAmong = among;
    decisions.note("share", `steps from ${current.step} on`, `${current.V} pieces among ${among}, by their speed`);
  };

  const orderCopies = (current: Round<Sink>, ready: readonly Member[]) => {
    const workers = [...membership.members.values()].map(({ id, speed, suspect, phase }) => ({
      id,
      speed,
      suspect,
      ready: phase === "ready",
    }));
    for (const work of current.works)
      if (!work.accepted && work.leases.length === 0 && work.held.length === 1 && !another(ready, work.held)) {
        const verdict = current.waive(work.block);
        if (verdict) conclude(verdict, work.block);
      }
    if (round !== current) return;
    for (const { worker, block, purpose, reason } of decideCopies(now(), current.works, workers)) {
      if (purpose !== "audit") decisions.note(purpose, `[${block.lo}, ${block.hi}) of step ${current.step}`, reason);
      lend(current.copy(now(), worker, block, purpose));
      meter.copied(current.kind, block, purpose);
    }
  };

  /** Carries out what a result, or the absence of one, means. */
  const conclude = (verdict: Verdict<Sink>, block: Block) => {
    const current = round!;
    if (verdict.kind === "liar") {
      membership.ban(verdict.worker, `it computes wrong numbers: ${verdict.reason}`);
      decisions.note("expel", verdict.worker, verdict.reason);
      onDifference(`${verdict.worker} computes wrong numbers and was expelled: ${verdict.reason}`);
      restart(current);
      outbox().expel(verdict.worker, `it computes wrong numbers: ${verdict.reason}`, false);
    } else if (verdict.kind === "unsettled") {
      const remedy = "check the machines: their memory, their device, their versions of plume";
      settle?.reject(new PlumeError("NUMERICS", verdict.reason, { remedy }));
    } else if (verdict.kind === "accept") {
      for (const sink of verdict.unused) sink.discard();
      meter.discarded(current.kind, block, verdict.unused.length);
      takeBack(verdict.revoked);
      outrun(verdict.revoked);
      const mine = generation;
      verdict.payload.collect().then(
        () => {
          if (mine !== generation) return;
          collected += block.hi - block.lo;
          if (collected === current.V) settle?.resolve(current.results);
        },
        (error) => settle?.reject(error),
      );
    }
  };

  /** A copy was faster than the first computation: that says how slow its worker is at least. */
  const outrun = (revoked: readonly Lease[]) => {
    for (const { worker, purpose, done, progressMs } of revoked)
      if (purpose === "first" && done === 0) membership.measured(worker, (now() - progressMs) / 1000);
  };

  const takeFrom = (worker: WorkerId, which: "all" | "queued"): Lease[] => {
    const current = round;
    return current ? meter.reassigned(current, () => current.revoke(worker, which)) : [];
  };

  /** Nothing that came in counts any more: every piece is pending again. */
  const restart = (current: Round<Sink>) => {
    takeBack(current.leases);
    for (const { block, accepted, held } of current.works)
      meter.discarded(current.kind, block, held.length + (accepted ? 1 : 0));
    for (const sink of current.reset()) sink.discard();
    collector!.dispose();
    collector = plan!.collect();
    collected = 0;
    generation++;
    onRedo((now() - openedMs) / 1000);
    openedMs = now();
    decisions.note("redo", `step ${current.step}`, "a worker computed wrong numbers in it");
  };

  /** Two workers differ on a block that is in already: from here on each of their blocks is compared. */
  const doubt = (worker: WorkerId, other: WorkerId, reason: string) => {
    onDifference(reason);
    for (const id of [worker, other]) {
      watchList.watch(id);
      decisions.note("watch", id, `${reason}; its next ${WATCHED_BLOCKS} blocks are computed twice`);
    }
  };

  const progressed = (worker: WorkerId) => membership.progressed(worker, round?.holds(worker) ?? false);

  const compared = <T extends Claim | Verdict<Sink>>(worker: WorkerId, answer: T): T => {
    if (answer.kind === "duplicate" && !answer.agrees) doubt(worker, answer.other, answer.reason);
    return answer;
  };

  return {
    get version() {
      return version;
    },
    get round() {
      return round;
    },
    get work() {
      return meter.counts;
    },

    open(next) {
      plan = next;
      openedMs = now();
      round = createRound<Sink>(next.kind, next.step, next.V);
      collector = next.collect();
      collected = 0;
      generation++;
      done = new Promise((resolve, reject) => {
        settle = { resolve, reject };
      });
      done.catch(() => {}); // finish() awaits it; a failure before that is not unhandled
      replan();
    },

    async finish(stop) {
      const onStop = () => {
        // A stop lets the round in progress finish, unless nobody is there to finish it.
        stopping = true;
        if (membership.quorum().kind === "waiting") settle?.resolve(null);
      };
      if (stop.aborted) onStop();
      stop.addEventListener("abort", onStop, { once: true });
      let results: readonly Result[] | null = null;
      try {
        results = await done;
        return results;
      } finally {
        stop.removeEventListener("abort", onStop);
        for (const sink of results ? [] : (round?.reset() ?? [])) sink.discard();
        if (!results) collector?.dispose();
        generation++;
        previous = round?.kind === "gradient" ? round : previous;
        round = null;
        plan = null;
        collector = null;
        settle = null;
      }
    },

    advance(next) {
      version = next;
    },
    replan,

    gone: (worker) => void takeFrom(worker, "all"),
    leaving: (worker) => takeBack(takeFrom(worker, "queued")),

    progress(worker, { tuple, kind, block }, done, seconds) {
      progressed(worker);
      if (!round || tuple?.incarnation !== incarnation || round.step !== tuple.step || round.kind !== kind) return;
      const lease = round.progress(now(), worker, block, tuple.attempt, done);
      if (lease && kind === "gradient") membership.measured(worker, seconds);
    },

    claim(worker, { tuple, kind, block }, digest) {
      if (!tuple || tuple.job !== job || tuple.incarnation !== incarnation)
        return { kind: "stale", reason: `${tuple?.job} ${tuple?.incarnation} is over, this is ${job} ${incarnation}` };
      const named = roundOf(kind, tuple.step);
      if (named) {
        const answer = named.claim(worker, block, tuple.attempt, digest);
        if (answer.kind !== "take") meter.discarded(kind, block);
        return compared(worker, answer);
      }
      const open = round ? `the ${round.kind} round of step ${round.step} is open` : "no round is open";
      return { kind: "stale", reason: `a ${kind} for step ${tuple.step} refused: ${open}` };
    },

    receive(lease) {
      progressed(lease.worker);
      return collector!.open(lease.block);
    },

    handIn(lease, result, payload) {
      const home = roundOf(lease.kind, lease.step);
      const verdict: Verdict<Sink> = home
        ? compared(lease.worker, home.finish(lease, result, payload))
        : { kind: "stale", reason: "the round was closed meanwhile" };
      progressed(lease.worker); // it may owe nothing more now
      if (verdict.kind === "stale" || verdict.kind === "duplicate") {
        payload.discard();
        meter.discarded(lease.kind, lease.block);
      } else {
        if (verdict.kind === "accept") credit(home!, lease.block);
        conclude(verdict, lease.block);
        // Nothing to decide after an accepted block: copies of what is late wait for the next patrol.
        if (verdict.kind !== "accept" || home!.pending.length > 0) replan();
      }
      return verdict;
    },

    patrol() {
      for (const { id, reason } of membership.patrol()) outbox().expel(id, reason, true);
      replan();
    },

    fail: (error) => settle?.reject(error),
  };

  /** An accepted block is its worker's merit; one that a second worker confirmed is one less to watch. */
  function credit(current: Round<Sink>, block: Block) {
    const accepted = current.work(block)?.accepted;
    if (!accepted) return;
    const { worker } = accepted;
    membership.credited(worker, block.hi - block.lo);
    watchList.confirmed(worker);
  }
}

/** Pieces that each worker still has to compute. */
function queueOf(round: Round<Sink>): Map<WorkerId, number> {
  const queued = new Map<WorkerId, number>();
  for (const { worker, block, done } of round.leases)
    queued.set(worker, (queued.get(worker) ?? 0) + block.hi - block.lo - done);
  return queued;
}

const another = (ready: readonly Member[], held: readonly Result[]) =>
  ready.some(({ id }) => !held.some(({ worker }) => worker === id));

/** Two workers differ and nobody else is there to settle it. */
function undecided(round: Round<Sink>, able: readonly Member[]): string | null {
  const work = round.works.find(({ held, leases }) => held.length > 1 && leases.length === 0);
  if (!work || another(able, work.held)) return null;
  const names = work.held.map(({ worker }) => worker).join(" and ");
  return `${names} gave different bits for block [${work.block.lo}, ${work.block.hi}) of step ${round.step}: a third worker must settle it`;
}
