// Which samples a micro-batch holds: one endless stream of positions, walked by (epoch, cursor). Position
// p = step * globalBatch + i * microBatch + k lies in epoch floor(p / n) at cursor p mod n. No worker and no number of
// workers occurs in it.

import { crc32 } from "../rng/crc32.ts";
import { permute } from "./permutation.ts";

export interface SampleOrder {
  readonly seed: number;
  readonly datasetSize: number;
  readonly globalBatch: number;
  readonly microBatch: number;
}

/** Positions [from, to) of one epoch's permutation. */
export interface CursorRange {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
}

/** Ids of micro-batch `index` of a step, in the order of the batch: `microBatch` of them. */
export function sampleIds(order: SampleOrder, step: number, index: number): number[] {
  const first = step * order.globalBatch + index * order.microBatch;
  return Array.from({ length: order.microBatch }, (_, k) => idAt(order, first + k));
}

function idAt({ seed, datasetSize }: SampleOrder, position: number): number {
  return permute(seed, Math.floor(position / datasetSize), datasetSize, position % datasetSize);
}

/** The cursor ranges that a step walks through; more than one where an epoch ends inside it. */
export function rangesOfStep({ datasetSize, globalBatch }: SampleOrder, step: number): CursorRange[] {
  const ranges: CursorRange[] = [];
  let position = step * globalBatch;
  const end = position + globalBatch;
  while (position < end) {
    const epoch = Math.floor(position / datasetSize);
    const from = position % datasetSize;
    const to = Math.min(datasetSize, from + end - position);
    ranges.push({ epoch, from, to });
    position += to - from;
  }
  return ranges;
}

/** CRC-32 of the ids in order, each four little-endian bytes: 8 hex digits. */
export function idsDigest(ids: readonly number[]): string {
  const bytes = new DataView(new ArrayBuffer(4 * ids.length));
  ids.forEach((id, k) => {
    bytes.setUint32(4 * k, id, true);
  });
  return crc32(new Uint8Array(bytes.buffer)).toString(16).padStart(8, "0");
}
