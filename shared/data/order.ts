// Which samples a micro-batch holds: one endless stream of positions, walked by (epoch, cursor). Position
// p = step * globalBatch + i * microBatch + k lies in epoch floor(p / n) at cursor p mod n. No worker and no number of
// workers occurs in it. Where some steps use no samples, `step` counts those that do.

import { crc32 } from "../rng/crc32.ts";
import { permute } from "./permutation.ts";

export interface SampleOrder {
  readonly seed: number;
  readonly datasetSize: number;
  readonly globalBatch: number;
  readonly microBatch: number;
  /** The steps that use samples; all when absent. */
  readonly cycle?: Cycle | undefined;
}

/** The first so many of every `of` steps. */
export interface Cycle {
  readonly of: number;
  readonly first: number;
}

/** How many of the steps before this one are among them. */
export const countOf = ({ of, first }: Cycle, step: number): number =>
  Math.floor(step / of) * first + Math.min(step % of, first);

/** Samples that the steps before this one use: the position of its own first one. */
export const samplesBefore = (
  { globalBatch, cycle }: Pick<SampleOrder, "globalBatch" | "cycle">,
  step: number,
): number => globalBatch * (cycle ? countOf(cycle, step) : step);

/** Positions [from, to) of one epoch's permutation. */
export interface CursorRange {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
}

/** Ids of micro-batch `index` of a step, in the order of the batch: `microBatch` of them, or none where the step uses none. */
export function sampleIds(order: SampleOrder, step: number, index: number): number[] {
  const from = samplesBefore(order, step);
  if (samplesBefore(order, step + 1) === from) return [];
  const first = from + index * order.microBatch;
  return Array.from({ length: order.microBatch }, (_, k) => idAt(order, first + k));
}

function idAt({ seed, datasetSize }: SampleOrder, position: number): number {
  return permute(seed, Math.floor(position / datasetSize), datasetSize, position % datasetSize);
}

/** The cursor ranges that a step walks through: more than one where an epoch ends inside it, none where it uses no samples. */
export function rangesOfStep(order: SampleOrder, step: number): CursorRange[] {
  const { datasetSize } = order;
  const ranges: CursorRange[] = [];
  let position = samplesBefore(order, step);
  const end = samplesBefore(order, step + 1);
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
