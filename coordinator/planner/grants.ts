// Who computes which blocks of a step: pure arithmetic on the tree's nodes, in proportion to measured speed.
// The plan decides only who works and when it is done; the sum of the blocks is the same whatever is decided here.

import type { WorkerId } from "../../shared/ids.ts";
import { type Block, childrenOf, decompose } from "../../shared/tensor/tree.ts";

export interface PlannedWorker {
  readonly id: WorkerId;
  /** Micro-batches a second; null when unknown: then it is taken for the mean of the others. */
  readonly speed: number | null;
  /** Micro-batches it already holds in leases. */
  readonly queued: number;
}

export interface Grant {
  readonly worker: WorkerId;
  readonly block: Block;
}

/**
 * @param pending nodes of the tree over [0, V) that nobody computes.
 * @returns a grant for every pending leaf, or none when there is no worker.
 */
export function decideGrants(pending: readonly Block[], V: number, workers: readonly PlannedWorker[]): Grant[] {
  if (workers.length === 0 || pending.length === 0) return [];
  const whole = pending.length === 1 && pending[0]!.lo === 0 && pending[0]!.hi === V;
  if (whole && workers.every((worker) => worker.queued === 0)) return shareOut(V, workers);
  return fillIn(pending, workers);
}

/** A fresh step: contiguous ranges in proportion to speed (largest remainder), each cut into nodes. */
function shareOut(V: number, workers: readonly PlannedWorker[]): Grant[] {
  const speeds = speedsOf(workers);
  const total = speeds.reduce((sum, s) => sum + s, 0);
  const exact = speeds.map((s) => (V * s) / total);
  const shares = exact.map(Math.floor);
  const byRemainder = exact
    .map((x, i) => ({ i, rest: x - Math.floor(x) }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  for (let left = V - shares.reduce((sum, n) => sum + n, 0), k = 0; left > 0; left--, k++) shares[byRemainder[k]!.i]!++;
  const grants: Grant[] = [];
  let lo = 0;
  workers.forEach((worker, i) => {
    for (const block of decompose({ lo, hi: lo + shares[i]! }, V)) grants.push({ worker: worker.id, block });
    lo += shares[i]!;
  });
  return grants;
}

/** What a dead worker left: cut until every worker can have a part, each part to whoever is free first. */
function fillIn(pending: readonly Block[], workers: readonly PlannedWorker[]): Grant[] {
  const blocks = [...pending];
  while (blocks.length < workers.length) {
    const largest = blocks.reduce((best, block, i) => (sizeOf(block) > sizeOf(blocks[best]!) ? i : best), 0);
    const children = childrenOf(blocks[largest]!);
    if (!children) break;
    blocks.splice(largest, 1, ...children);
  }
  const speeds = speedsOf(workers);
  const load = workers.map((worker) => worker.queued);
  return blocks.map((block) => {
    let first = 0;
    const finish = (i: number) => (load[i]! + sizeOf(block)) / speeds[i]!;
    for (let i = 1; i < workers.length; i++) if (finish(i) < finish(first)) first = i;
    load[first]! += sizeOf(block);
    return { worker: workers[first]!.id, block };
  });
}

function speedsOf(workers: readonly PlannedWorker[]): number[] {
  const known = workers.flatMap((worker) => (worker.speed === null ? [] : [worker.speed]));
  const mean = known.length > 0 ? known.reduce((sum, s) => sum + s, 0) / known.length : 1;
  return workers.map((worker) => worker.speed ?? mean);
}

const sizeOf = (block: Block) => block.hi - block.lo;
