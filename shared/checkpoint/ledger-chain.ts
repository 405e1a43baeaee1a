// The ledger travels with the checkpoints: a run that goes on elsewhere goes on with its proof. Beside the checkpoints'
// folders lie segments of it, each some lines by step; a manifest names those that make up the ledger up to its step.
//
// I1. Segments are never changed. Small ones are written again as one, so that a manifest names few: equal neighbours are
//     merged as digits carry in a binary counter, up to a size.

import { PlumeError } from "../errors.ts";
import type { LedgerCopy } from "../ledger/copy.ts";
import type { LedgerLines } from "../ledger/segments.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { digestOf } from "./digest.ts";
import { type LedgerSegment, segmentKey } from "./manifest.ts";
import { readPart } from "./parts.ts";

/** Puts what the store lacks of the ledger before `step`. @returns the whole chain. */
export type ExtendLedger = (
  step: number,
  put: (key: string, bytes: Uint8Array) => Promise<void>,
) => Promise<readonly LedgerSegment[]>;

const LARGEST_BYTES = 32 << 20;

/** @returns the segments that stay, and the step from which the lines are written (again). */
export function decideSegments(
  chain: readonly LedgerSegment[],
  step: number,
  largest = LARGEST_BYTES,
): { readonly kept: readonly LedgerSegment[]; readonly from: number } {
  const kept = chain.filter(({ to }) => to <= step);
  let from = kept.at(-1)?.to ?? 0;
  if (from === step) return { kept, from };
  for (
    let last = kept.at(-1);
    last && last.to - last.from <= step - from && last.size <= largest / 2;
    last = kept.at(-1)
  ) {
    from = last.from;
    kept.pop();
  }
  return { kept, from };
}

/** @param chain what the newest manifest names. */
export function extendLedger(
  chain: readonly LedgerSegment[],
  lines: LedgerLines,
  largest = LARGEST_BYTES,
): ExtendLedger {
  return async (step, put) => {
    const { kept, from } = decideSegments(chain, step, largest);
    const segments = [...kept];
    for (let next = from; next < step; ) {
      const piece = await lines(next, step, largest);
      if (piece === null) break; // the ledger begins later
      const sha256 = await digestOf(piece.bytes);
      const key = segmentKey(piece.from, piece.to, sha256);
      await put(key, piece.bytes);
      segments.push({ key, from: piece.from, to: piece.to, size: piece.bytes.byteLength, sha256 });
      next = piece.to;
    }
    return segments;
  };
}

/** Writes the chain's lines into a new ledger. A segment that is missing or damaged costs the proof of all before it. */
export async function restoreLedger(
  store: ObjectStore,
  chain: readonly LedgerSegment[],
  ledger: LedgerCopy,
): Promise<{ readonly whole: readonly LedgerSegment[]; readonly faults: readonly string[] }> {
  const faults: string[] = [];
  let whole: LedgerSegment[] = [];
  for (const segment of chain) {
    if (segment.from !== (whole.at(-1)?.to ?? segment.from)) whole = [];
    try {
      const bytes = await readPart(store, segment.key, segment);
      if (whole.length === 0) ledger.begin(segment.from);
      ledger.append(bytes);
      whole.push(segment);
    } catch (error) {
      if (!(error instanceof PlumeError) || (error.code !== "DATA_LOSS" && error.code !== "NOT_FOUND")) throw error;
      faults.push(error.message);
      whole = [];
      ledger.begin(segment.to);
    }
  }
  return { whole, faults };
}
