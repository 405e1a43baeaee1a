// A round: one set of numbered pieces of work [0, V) leased to workers until every piece has come back and is accepted.
// Gradient rounds hold micro-batches, sample rounds hold tiles of a picture; what is done with a payload is the
// dispatcher's affair. Owns leases and results; knows no members, no streams, no clock, and decides on nothing but
// whether a result counts.
//
// I1. Every piece is at any moment pending, or in exactly one block of `works`; a block in `works` has a lease or a result.
// I2. A result is taken only from the holder of a live lease of this round, and only once.
// I3. A block is accepted once. An audited block is accepted only when two workers gave the same digest.

import type { WorkerId } from "../../shared/ids.ts";
import { invariant } from "../../shared/invariant.ts";
import { type Block, blockKey, isNode } from "../../shared/tensor/tree.ts";

/** first: the block's own computation. speculation: a copy because the first is late. audit, settle: copies to compare. */
export type Purpose = "first" | "speculation" | "audit" | "settle";

export type RoundKind = "gradient" | "sample";

export interface Lease {
  readonly kind: RoundKind;
  readonly step: number;
  readonly block: Block;
  readonly worker: WorkerId;
  readonly attempt: number;
  readonly purpose: Purpose;
  readonly grantedMs: number;
  /** Last sign of progress: granted, or one more piece done. */
  progressMs: number;
  done: number;
}

export interface Result {
  readonly block: Block;
  readonly worker: WorkerId;
  readonly attempt: number;
  readonly digest: string;
  readonly losses: readonly number[];
  /** Of each sample, not weighted, in the order of the micro-batches: float32, of jobs that draw time steps by them. */
  readonly sampleLosses?: Float32Array | undefined;
  readonly ids: readonly string[];
  readonly seconds: Readonly<Record<string, number>>;
  /** Samples that could not be decoded, and those that were read in their place. */
  readonly skipped?: readonly { readonly id: number; readonly instead: number }[];
}

/** A block that is being computed or is in. */
export interface Work {
  readonly block: Block;
  /** Two workers must agree on it before it counts. */
  readonly audited: boolean;
  readonly leases: readonly Lease[];
  /** Results that wait for another one to be compared with. */
  readonly held: readonly Result[];
  readonly accepted: Result | null;
}

/** May this result come in? Asked before a byte of payload is read. */
export type Claim =
  | { readonly kind: "take"; readonly lease: Lease }
  | { readonly kind: "stale"; readonly reason: string }
  | { readonly kind: "duplicate"; readonly agrees: boolean; readonly other: WorkerId; readonly reason: string };

/** What a result whose payload is in means. */
export type Verdict<Payload> =
  | Exclude<Claim, { kind: "take" }>
  /** The block is in. `revoked` leases were copies of it. */
  | { readonly kind: "accept"; readonly payload: Payload; readonly unused: Payload[]; readonly revoked: Lease[] }
  | { readonly kind: "hold"; readonly reason: string }
  /** Two agree against a third: nothing that the third computed in this round counts. */
  | { readonly kind: "liar"; readonly worker: WorkerId; readonly reason: string }
  | { readonly kind: "unsettled"; readonly reason: string };

export interface Round<Payload> {
  readonly kind: RoundKind;
  readonly step: number;
  readonly V: number;
  /** Pieces that nobody computes, as nodes of the tree. */
  readonly pending: readonly Block[];
  readonly works: readonly Work[];
  readonly leases: readonly Lease[];
  /** The block as it stands, or undefined when nobody has begun it. */
  work(block: Block): Work | undefined;
  /** The worker has a lease. */
  holds(worker: WorkerId): boolean;
  /** Accepted results in index order. */
  readonly results: readonly Result[];
  /** Starts a block that is pending. */
  begin(nowMs: number, worker: WorkerId, block: Block, audited: boolean): Lease;
  /** One more computation of a block in `works`. */
  copy(nowMs: number, worker: WorkerId, block: Block, purpose: Purpose): Lease;
  claim(worker: WorkerId, block: Block, attempt: number, digest: string): Claim;
  finish(lease: Lease, result: Result, payload: Payload): Verdict<Payload>;
  /** Nobody is there to audit this block: its held result is accepted as it is. */
  waive(block: Block): Verdict<Payload> | null;
  progress(nowMs: number, worker: WorkerId, block: Block, attempt: number, done: number): Lease | null;
  /** Takes back a worker's leases, all or those after its first. @returns what was taken back. */
  revoke(worker: WorkerId, which?: "all" | "queued"): Lease[];
  /** Forgets everything that came in: the round begins again. @returns payloads nobody will use. */
  reset(): Payload[];
}

interface OpenWork<Payload> {
  readonly block: Block;
  audited: boolean;
  leases: Lease[];
  held: { readonly result: Result; readonly payload: Payload }[];
  accepted: Result | null;
}

export function createRound<Payload>(kind: RoundKind, step: number, V: number): Round<Payload> {
  let pending: Block[] = [{ lo: 0, hi: V }];
  const works = new Map<string, OpenWork<Payload>>();
  /** Live leases by worker. */
  const held = new Map<WorkerId, Set<Lease>>();
  let attempts = 0;

  const view = (work: OpenWork<Payload>): Work => ({ ...work, held: work.held.map(({ result }) => result) });

  const lend = (nowMs: number, work: OpenWork<Payload>, worker: WorkerId, purpose: Purpose): Lease => {
    const attempt = ++attempts;
    const { block } = work;
    const lease = { kind, step, block, worker, attempt, purpose, grantedMs: nowMs, progressMs: nowMs, done: 0 };
    work.leases.push(lease);
    const mine = held.get(worker) ?? new Set();
    held.set(worker, mine.add(lease));
    return lease;
  };

  /** The lease is over, whatever came of it. */
  const end = (work: OpenWork<Payload>, lease: Lease) => {
    work.leases = work.leases.filter((each) => each !== lease);
    held.get(lease.worker)?.delete(lease);
  };

  const covering = (block: Block) =>
    works.get(blockKey(block)) ??
    [...works.values()].find((work) => work.block.lo <= block.lo && block.hi <= work.block.hi);

  const compare = (accepted: Result, worker: WorkerId, digest: string): Claim => {
    const { block, worker: other } = accepted;
    const agrees = accepted.block.lo === block.lo && accepted.digest === digest;
    const what = `block ${nameOf(block)} of step ${step} is in already, from ${other}`;
    return { kind: "duplicate", agrees, other, reason: agrees ? what : `${what}; ${worker} gives other bits` };
  };

  const accept = (work: OpenWork<Payload>, index: number): Verdict<Payload> => {
    const { result, payload } = work.held[index]!;
    const unused = work.held.filter((_, i) => i !== index).map((held) => held.payload);
    const revoked = work.leases;
    work.accepted = result;
    work.held = [];
    for (const lease of revoked) end(work, lease);
    return { kind: "accept", payload, unused, revoked };
  };

  const judge = (work: OpenWork<Payload>): Verdict<Payload> => {
    const where = `block ${nameOf(work.block)} of step ${step}`;
    const { held } = work;
    if (!work.audited) return accept(work, 0);
    if (held.length === 1) return { kind: "hold", reason: `${where} waits for its audit` };
    const agreed = held.findIndex((a, i) => held.some((b, j) => j > i && a.result.digest === b.result.digest));
    if (agreed < 0) {
      const names = held.map(({ result }) => `${result.worker} ${result.digest}`).join(", ");
      return held.length < 3
        ? { kind: "hold", reason: `${where}: the digests differ (${names}); a third worker settles it` }
        : { kind: "unsettled", reason: `${where}: ${held.length} workers give ${held.length} results (${names})` };
    }
    const right = held[agreed]!.result;
    const liar = held.find(({ result }) => result.digest !== right.digest)?.result;
    if (!liar) return accept(work, agreed);
    const reason = `its digest of ${where} is ${liar.digest}, two others have ${right.digest}`;
    return { kind: "liar", worker: liar.worker, reason };
  };

  const round: Round<Payload> = {
    kind,
    step,
    V,
    get pending() {
      return pending;
    },
    get works() {
      return [...works.values()].map(view);
    },
    get leases() {
      return [...works.values()].flatMap((work) => work.leases);
    },
    work(block) {
      const work = works.get(blockKey(block));
      return work && view(work);
    },
    holds: (worker) => (held.get(worker)?.size ?? 0) > 0,
    get results() {
      return [...works.values()]
        .flatMap(({ accepted }) => (accepted ? [accepted] : []))
        .sort((a, b) => a.block.lo - b.block.lo);
    },

    begin(nowMs, worker, block, audited) {
      const within = pending.findIndex(({ lo, hi }) => lo <= block.lo && block.hi <= hi);
      invariant(within >= 0 && isNode(block, V), `block ${nameOf(block)} is pending`);
      const { lo, hi } = pending[within]!;
      const rest = [
        { lo, hi: block.lo },
        { lo: block.hi, hi },
      ].filter((range) => range.lo < range.hi);
      pending.splice(within, 1, ...rest);
      const work: OpenWork<Payload> = { block, audited, leases: [], held: [], accepted: null };
      works.set(blockKey(block), work);
      return lend(nowMs, work, worker, "first");
    },

    copy(nowMs, worker, block, purpose) {
      const work = works.get(blockKey(block));
      invariant(work && !work.accepted, `block ${nameOf(block)} is being computed`);
      return lend(nowMs, work, worker, purpose);
    },

    claim(worker, block, attempt, digest) {
      const work = covering(block);
      const lease = work?.leases.find((l) => l.worker === worker && l.attempt === attempt);
      if (lease && blockKey(lease.block) === blockKey(block)) return { kind: "take", lease };
      if (work?.accepted && blockKey(work.block) === blockKey(block)) return compare(work.accepted, worker, digest);
      const what = `block ${nameOf(block)} of step ${step}`;
      return { kind: "stale", reason: `${worker} holds no lease on ${what}, attempt ${attempt}` };
    },

    finish(lease, result, payload) {
      const claim = round.claim(lease.worker, lease.block, lease.attempt, result.digest);
      if (claim.kind !== "take") return claim;
      const work = works.get(blockKey(lease.block))!;
      end(work, lease);
      work.held.push({ result, payload });
      return judge(work);
    },

    waive(block) {
      const work = works.get(blockKey(block));
      if (!work || work.accepted || work.held.length !== 1) return null;
      work.audited = false;
      return judge(work);
    },

    progress(nowMs, worker, block, attempt, done) {
      const lease = works.get(blockKey(block))?.leases.find((l) => l.worker === worker && l.attempt === attempt);
      if (!lease || done <= lease.done) return null;
      lease.progressMs = nowMs;
      lease.done = done;
      return lease;
    },

    revoke(worker, which = "all") {
      const mine = [...(held.get(worker) ?? [])]; // in the order of their attempts
      const taken = which === "all" ? mine : mine.slice(1);
      for (const lease of taken) {
        const key = blockKey(lease.block);
        const work = works.get(key)!;
        end(work, lease);
        if (work.leases.length > 0 || work.held.length > 0 || work.accepted) continue;
        works.delete(key);
        pending.push(lease.block);
      }
      pending.sort((a, b) => a.lo - b.lo);
      return taken;
    },

    reset() {
      const unused = [...works.values()].flatMap((work) => work.held.map(({ payload }) => payload));
      works.clear();
      held.clear();
      pending = [{ lo: 0, hi: V }];
      return unused;
    },
  };
  return round;
}

const nameOf = ({ lo, hi }: Block) => `[${lo}, ${hi})`;
