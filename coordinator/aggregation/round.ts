// A round: one set of numbered pieces of work [0, V) leased to workers until every piece has come back once.
// Gradient rounds hold micro-batches, sample rounds hold tiles of a picture; what is done with a result is the
// collector's affair. Owns the leases; does not own members, payloads or time.
//
// I1. Every piece is at any moment done, leased to exactly one member, or pending.
// I2. A result is taken only from the holder of a lease of this round, once.

import { PlumeError } from "../../shared/errors.ts";
import type { WorkerId } from "../../shared/ids.ts";
import { type Block, blockKey, isNode } from "../../shared/tensor/tree.ts";
import { decideGrants, type PlannedWorker } from "../planner/grants.ts";

export interface Lease {
  readonly block: Block;
  readonly worker: WorkerId;
  readonly attempt: number;
  readonly grantedMs: number;
  /** Last sign of progress: granted, or one more piece done. */
  progressMs: number;
  done: number;
}

export interface Result {
  readonly block: Block;
  readonly worker: WorkerId;
  readonly attempt: number;
  readonly losses: readonly number[];
  readonly ids: readonly string[];
  readonly seconds: Readonly<Record<string, number>>;
}

export type Claim =
  | { readonly kind: "take"; readonly lease: Lease }
  | { readonly kind: "stale" | "duplicate"; readonly reason: string };

/** Where the payload of one block goes: bytes land in order of arrival at their offsets, then all or nothing counts. */
export interface Sink {
  readonly bytes: number;
  /** Memory to write into, in order; together `bytes` long. */
  readonly regions: readonly Uint8Array[];
  digest(): Promise<string>;
  collect(): Promise<void>;
  discard(): void;
}

export type RoundKind = "gradient" | "sample";

export interface Round {
  readonly kind: RoundKind;
  readonly step: number;
  readonly V: number;
  /** Grants pending blocks to the workers; called whenever either changes. */
  replan(workers: readonly Omit<PlannedWorker, "queued">[]): void;
  /** May this worker hand in this block? Asked before a byte of payload is read. */
  claim(worker: WorkerId, block: Block, attempt: number): Claim;
  /** A place for the payload of a claimed lease. */
  open(lease: Lease): Sink;
  /** The payload is in and whole: collects it, unless the lease was revoked meanwhile. */
  finish(lease: Lease, result: Result, sink: Sink): Promise<Claim["kind"]>;
  progress(worker: WorkerId, block: Block, done: number): void;
  /** The worker is gone: its leases become pending. */
  revoke(worker: WorkerId): void;
  fail(error: unknown): void;
  readonly leases: readonly Lease[];
  /** All results by block, in index order, once every piece is done. */
  readonly done: Promise<readonly Result[]>;
}

export interface RoundOptions {
  readonly kind: RoundKind;
  readonly step: number;
  readonly V: number;
  readonly now: () => number;
  /** Sends a lease to its worker. */
  readonly grant: (lease: Lease) => void;
  readonly open: (block: Block) => Sink;
}

export function createRound({ kind, step, V, now, grant, open }: RoundOptions): Round {
  let pending: Block[] = [{ lo: 0, hi: V }];
  const leases = new Map<string, Lease>();
  const results: Result[] = [];
  let attempts = 0;
  let missing = V;
  let resolve!: (results: readonly Result[]) => void;
  let reject!: (error: unknown) => void;
  const done = new Promise<readonly Result[]>((ok, no) => {
    resolve = ok;
    reject = no;
  });
  done.catch(() => {}); // the step awaits it; a failure before that is not unhandled

  const queued = (worker: WorkerId) =>
    [...leases.values()]
      .filter((lease) => lease.worker === worker)
      .reduce((sum, { block, done }) => sum + block.hi - block.lo - done, 0);

  return {
    kind,
    step,
    V,
    done,
    get leases() {
      return [...leases.values()];
    },

    replan(workers) {
      const grants = decideGrants(
        pending,
        V,
        workers.map((worker) => ({ ...worker, queued: queued(worker.id) })),
      );
      if (grants.length === 0) return;
      pending = [];
      for (const { worker, block } of grants) {
        const lease: Lease = { block, worker, attempt: ++attempts, grantedMs: now(), progressMs: now(), done: 0 };
        leases.set(blockKey(block), lease);
        grant(lease);
      }
    },

    claim(worker, block, attempt) {
      if (!isNode(block, V))
        throw new PlumeError("INVALID_ARGUMENT", `[${block.lo}, ${block.hi}) is no block of a step of ${V}`);
      const lease = leases.get(blockKey(block));
      if (lease && lease.worker === worker && lease.attempt === attempt) return { kind: "take", lease };
      const finished = results.some((result) => result.block.lo <= block.lo && block.hi <= result.block.hi);
      if (finished)
        return { kind: "duplicate", reason: `block [${block.lo}, ${block.hi}) of step ${step} is in already` };
      return {
        kind: "stale",
        reason: `${worker} holds no lease on block [${block.lo}, ${block.hi}) of step ${step}, attempt ${attempt}`,
      };
    },

    open: (lease) => open(lease.block),

    async finish(lease, result, sink) {
      if (leases.get(blockKey(lease.block)) !== lease) {
        sink.discard();
        return "stale";
      }
      leases.delete(blockKey(lease.block));
      results.push(result);
      try {
        await sink.collect();
      } catch (error) {
        reject(error);
        throw error;
      }
      missing -= lease.block.hi - lease.block.lo;
      if (missing === 0) resolve(results.sort((a, b) => a.block.lo - b.block.lo));
      return "take";
    },

    progress(worker, block, done) {
      const lease = leases.get(blockKey(block));
      if (lease?.worker !== worker) return;
      lease.progressMs = now();
      lease.done = done;
    },

    revoke(worker) {
      for (const [key, lease] of leases) {
        if (lease.worker !== worker) continue;
        leases.delete(key);
        pending.push(lease.block);
      }
      pending.sort((a, b) => a.lo - b.lo);
    },

    fail: reject,
  };
}
