// Which blocks get a second computation, and by whom: pure, each copy with its reason. Copies never change a bit of the
// result; they buy time (a late block), or certainty (an audit, and the third opinion when two differ).

import type { WorkerId } from "../../shared/ids.ts";
import { medianOf } from "../../shared/median.ts";
import type { Block } from "../../shared/tensor/tree.ts";
import type { Purpose, Work } from "../aggregation/round.ts";

export interface CopyWorker {
  readonly id: WorkerId;
  /** Micro-batches a second; null when unknown. */
  readonly speed: number | null;
  /** Why its blocks should not be waited for; null when all is well. */
  readonly suspect: string | null;
  /** It may be given work. */
  readonly ready: boolean;
}

export interface Copy {
  readonly worker: WorkerId;
  readonly block: Block;
  readonly purpose: Purpose;
  readonly reason: string;
}

/** An idle worker must be this many times faster than waiting, or a copy is not worth its electricity. */
const WORTH = 2;
/** Nor is one that saves less than this. */
const LEAST_GAIN_SECONDS = 0.1;
/** Without progress for this many times what a micro-batch takes, a worker is late. */
const LATE_FACTOR = 2;
/** Less than this is noise of a scheduler, whatever the micro-batches take. */
const LATE_FLOOR_MS = 150;

export function decideCopies(nowMs: number, works: readonly Work[], workers: readonly CopyWorker[]): Copy[] {
  const open = works.filter((work) => !work.accepted);
  if (open.length === 0) return [];
  const plan = createPlan(nowMs, open, workers);
  for (const work of open) if (work.audited && work.held.length > 0) compareWith(plan, work);
  for (const work of open) if (work.held.length === 0) hasten(plan, work);
  return plan.copies;
}

/** A held result needs another worker's: the audit, or the third opinion when two differ. */
function compareWith(plan: Plan, work: Work): void {
  if (work.leases.length > 0) return;
  const other = plan.leastLoaded(work);
  if (other === undefined) return;
  const settles = work.held.length > 1;
  const names = work.held.map(({ worker }) => worker).join(" and ");
  const reason = settles ? `${names} gave different bits: a third opinion` : `audit of ${names}`;
  plan.give(other, work, settles ? "settle" : "audit", reason);
}

/** A block whose worker is suspect or slower than an idle one by far gets a copy. */
function hasten(plan: Plan, work: Work): void {
  const [lease] = work.leases;
  if (!lease || work.leases.length > 1) return;
  const holder = plan.worker(lease.worker);
  const suspect = holder?.suspect ?? null;
  const best = suspect === null ? plan.idle(work) : plan.leastLoaded(work);
  if (best === undefined) return;
  if (suspect !== null) {
    plan.give(best, work, "speculation", `${lease.worker} is suspect: ${suspect}`);
    return;
  }
  const late = plan.lateness(lease.worker);
  const there = plan.secondsOn(best, work.block);
  const here = late ? Number.POSITIVE_INFINITY : plan.secondsLeft(lease.worker);
  if (here <= Math.max(WORTH * there, there + LEAST_GAIN_SECONDS)) return;
  const reason = late ?? `${lease.worker} needs ${here.toFixed(2)} s more, ${best} would need ${there.toFixed(2)} s`;
  plan.give(best, work, "speculation", reason);
}

type Plan = ReturnType<typeof createPlan>;

function createPlan(nowMs: number, open: readonly Work[], workers: readonly CopyWorker[]) {
  const byId = new Map(workers.map((worker) => [worker.id, worker]));
  const median = medianOf(workers.flatMap(({ speed }) => (speed === null ? [] : [speed])));
  const load = new Map<WorkerId, number>();
  const lastProgress = new Map<WorkerId, number>();
  for (const { worker, block, done, progressMs } of open.flatMap((work) => work.leases)) {
    load.set(worker, (load.get(worker) ?? 0) + block.hi - block.lo - done);
    lastProgress.set(worker, Math.max(lastProgress.get(worker) ?? 0, progressMs));
  }
  const copies: Copy[] = [];
  const leafSeconds = (id: WorkerId): number | null => {
    const speed = byId.get(id)?.speed ?? median;
    return speed === null ? null : 1 / speed;
  };
  const able = workers
    .filter(({ ready, suspect }) => ready && suspect === null)
    .sort((a, b) => (b.speed ?? 0) - (a.speed ?? 0) || (a.id < b.id ? -1 : 1));
  const loadOf = (id: WorkerId) => load.get(id) ?? 0;
  let idle = able.map(({ id }) => id).filter((id) => !load.has(id));

  return {
    copies,
    worker: (id: WorkerId) => byId.get(id),

    /** The fastest worker with nothing to do that neither holds nor has computed this block. */
    idle(work: Work): WorkerId | undefined {
      return idle.find((id) => !isTaken(work, id));
    },

    /** The worker with the least to do; the fastest of several. */
    leastLoaded(work: Work): WorkerId | undefined {
      const candidates = able.filter(({ id }) => !isTaken(work, id)).map(({ id }) => id);
      return candidates.reduce<WorkerId | undefined>(
        (best, id) => (best === undefined || loadOf(id) < loadOf(best) ? id : best),
        undefined,
      );
    },

    give(worker: WorkerId, { block }: Work, purpose: Purpose, reason: string): void {
      copies.push({ worker, block, purpose, reason });
      load.set(worker, loadOf(worker) + block.hi - block.lo);
      idle = idle.filter((id) => id !== worker);
    },

    /** Why this worker counts as late; null while it goes on as the others do. */
    lateness(id: WorkerId): string | null {
      if (median === null) return null;
      const silent = nowMs - (lastProgress.get(id) ?? nowMs);
      const usual = 1000 * Math.max(1 / median, leafSeconds(id)!);
      if (silent <= Math.max(LATE_FLOOR_MS, LATE_FACTOR * usual)) return null;
      return `no progress of ${id} for ${(silent / 1000).toFixed(1)} s, a micro-batch takes ${(usual / 1000).toFixed(2)} s`;
    },

    secondsLeft(id: WorkerId): number {
      const perLeaf = leafSeconds(id);
      if (perLeaf === null) return 0; // nothing is known yet: wait
      return Math.max(0, loadOf(id) * perLeaf - (nowMs - (lastProgress.get(id) ?? nowMs)) / 1000);
    },

    secondsOn(id: WorkerId, { lo, hi }: Block): number {
      return (hi - lo) * (leafSeconds(id) ?? 0);
    },
  };
}

const isTaken = ({ leases, held }: Work, id: WorkerId) =>
  leases.some(({ worker }) => worker === id) || held.some(({ worker }) => worker === id);
