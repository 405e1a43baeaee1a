// The ledger's line of a step.

import { rangesOfStep, type SampleOrder, samplesBefore } from "../../shared/data/order.ts";
import type { AppliedStep } from "./apply.ts";

export function ledgerLine(applied: AppliedStep, order: SampleOrder) {
  const { step, loss, gradNorm, lr, gradDigest, skipped, results } = applied;
  const skippedSamples = results.flatMap((result) =>
    (result.skipped ?? []).map(({ id, instead }): [number, number] => [id, instead]),
  );
  return {
    step,
    epoch: Math.floor(samplesBefore(order, step) / order.datasetSize),
    ranges: rangesOfStep(order, step).map(({ epoch, from, to }): [number, number, number] => [epoch, from, to]),
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
