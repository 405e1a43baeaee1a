// The proof that every sample was used exactly once an epoch, from what the ledger records: the cursor ranges of every
// step, and the digests of the ids that the workers really read.

import { idsDigest, type SampleOrder, sampleIds } from "../data/order.ts";
import { permute } from "../data/permutation.ts";
import type { LedgerLine } from "./ledger.ts";

export interface AuditReport {
  readonly ok: boolean;
  readonly steps: number;
  /** Samples used, all epochs together. */
  readonly samples: number;
  /** Epochs in which every sample was used once; the last one may be under way. */
  readonly wholeEpochs: number;
  readonly skippedSteps: number;
  readonly firstFault: { readonly step: number; readonly message: string } | null;
}

export function auditLedger(lines: Iterable<LedgerLine>, order: SampleOrder): AuditReport {
  const { seed, datasetSize, globalBatch, microBatch } = order;
  const V = globalBatch / microBatch;
  let used = new Uint8Array(datasetSize);
  let epoch = 0;
  let cursor = 0;
  let steps = 0;
  let samples = 0;
  let skippedSteps = 0;
  const report = (fault: AuditReport["firstFault"]): AuditReport => ({
    ok: fault === null,
    steps,
    samples,
    wholeEpochs: epoch,
    skippedSteps,
    firstFault: fault,
  });

  for (const line of lines) {
    const fault = (message: string) => report({ step: line.step, message });
    if (line.step !== steps)
      return fault(line.step > steps ? `gap: step ${steps} is missing, the line says ${line.step}` : `repeat: step ${line.step} is recorded twice`);

    // The ranges continue where the last step ended, and no id comes up a second time in its epoch.
    let inStep = 0;
    for (const [rangeEpoch, from, to] of line.ranges) {
      if (rangeEpoch !== epoch || from !== cursor) {
        const kind = rangeEpoch > epoch || (rangeEpoch === epoch && from > cursor) ? "gap" : "repeat";
        return fault(`${kind}: samples go on at epoch ${rangeEpoch} position ${from}, expected epoch ${epoch} position ${cursor}`);
      }
      if (to <= from || to > datasetSize) return fault(`the range ${from} to ${to} is none of a set of ${datasetSize}`);
      for (let position = from; position < to; position++) {
        const id = permute(seed, epoch, datasetSize, position);
        if (used[id]) return fault(`repeat: sample ${id} is used twice in epoch ${epoch}`);
        used[id] = 1;
      }
      inStep += to - from;
      cursor = to;
      if (cursor === datasetSize) {
        const missing = used.indexOf(0);
        if (missing >= 0) return fault(`gap: sample ${missing} is not used in epoch ${epoch}`);
        used = new Uint8Array(datasetSize);
        epoch++;
        cursor = 0;
      }
    }
    if (inStep !== globalBatch) return fault(`${inStep} samples in a step of ${globalBatch}`);

    // Every micro-batch was computed by one block, and its worker read the ids that it should.
    let next = 0;
    for (const { lo, hi, worker } of [...line.blocks].sort((a, b) => a.lo - b.lo)) {
      if (lo !== next) return fault(`${lo > next ? "gap" : "repeat"}: micro-batch ${Math.min(lo, next)} (block of ${worker})`);
      next = hi;
    }
    if (next !== V || line.ids.length !== V) return fault(`blocks end at micro-batch ${next} with ${line.ids.length} id digests, expected ${V}`);
    for (let index = 0; index < V; index++)
      if (line.ids[index] !== idsDigest(sampleIds(order, line.step, index)))
        return fault(`micro-batch ${index}: its worker read other samples than the order names (digest ${line.ids[index]})`);

    steps++;
    samples += inStep;
    if (line.skipped) skippedSteps++;
  }
  return report(null);
}
