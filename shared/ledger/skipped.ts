// Samples that a run could not decode, by its ledger.

import { readLedger } from "./read.ts";

/** How many different ones there are. @throws PlumeError DATA_LOSS for what is no ledger. */
export function countSkipped(file: string): number {
  const ids = new Set<number>();
  for (const { skippedSamples = [] } of readLedger(file)) for (const [id] of skippedSamples) ids.add(id);
  return ids.size;
}
