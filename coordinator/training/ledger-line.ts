// The ledger's line of a step.

import type { CursorRange } from "../../shared/data/order.ts";
import type { AppliedStep } from "./apply.ts";

export function ledgerLine(applied: AppliedStep, ranges: readonly CursorRange[]) {
  const { step, loss, gradNorm, lr, gradDigest, skipped, results } = applied;
  const skippedSamples = results.flatMap((result) =>
    (result.skipped ?? []).map(({ id, instead }): [number, number] => [id, instead]),
  );
  return {
    step,
    epoch: ranges[0]!.epoch,
    ranges: ranges.map(({ epoch, from, to }): [number, number, number] => [epoch, from, to]),
    ids: results.flatMap((result) => [...result.ids]),
    blocks: results.map(({ block, worker, attempt }) => ({ lo: block.lo, hi: block.hi, worker, attempt })),
    loss: finite(loss),
    gradNorm: finite(gradNorm),
    lr,
    gradDigest,
    ...(skipped ? { skipped: true } : {}),
    ...(skippedSamples.length > 0 ? { skippedSamples } : {}),
  };
}

/** JSON has no NaN and no infinity. */
const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
