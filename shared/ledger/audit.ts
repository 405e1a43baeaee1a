// The proof that every sample was used exactly once an epoch, from what the ledger records: the cursor ranges of every
// step, and the digests of the ids that the workers read. One line at a time; memory is one bit a sample.

import { idsDigest, type SampleOrder, samplesBefore } from "../data/order.ts";
import { permute } from "../data/permutation.ts";
import type { LedgerLine } from "./line.ts";

export interface AuditReport {
  /** No fault up to the last line. */
  readonly ok: boolean;
  /** The first step that is proved: what was before is not in the ledger. */
  readonly from: number;
  /** Committed steps without a fault, those before `from` counted. */
  readonly steps: number;
  /** Samples used from that step on, all epochs together. */
  readonly samples: number;
  /** Samples over the size of the data set. */
  readonly epochs: number;
  /** Epochs in which every sample was used once; one more may be under way. */
  readonly wholeEpochs: number;
  /** Steps whose gradient was not finite: their samples are used, their update is not. */
  readonly skippedSteps: number;
  /** Different samples that could not be decoded: each time another one stood in their place, always the same. */
  readonly skippedSamples: number;
  /** Different workers that computed a block. */
  readonly workers: number;
  readonly firstFault: Fault | null;
}

interface Fault {
  readonly step: number;
  readonly message: string;
}

/**
 * Reads lines up to the first fault, which it names: a gap, a repeat, or other samples than the order has.
 * @param from the step at which the ledger says that it begins.
 */
export function auditLedger(lines: Iterable<LedgerLine>, order: SampleOrder, from = 0): AuditReport {
  const walk = startWalk(order, samplesBefore(order, from));
  const workers = new Set<string>();
  let steps = from;
  let skippedSteps = 0;
  const stoodIn = new Map<number, number>();
  let firstFault: Fault | null = null;
  for (const line of lines) {
    const message =
      stepFault(line, steps) ??
      blocksFault(line, order.globalBatch / order.microBatch) ??
      walk.epochFault(line) ??
      samplesFault(line, order, walk, stoodIn);
    if (message !== null) {
      firstFault = { step: line.step, message };
      break;
    }
    for (const block of line.blocks) workers.add(block.worker);
    if (line.skipped) skippedSteps++;
    steps++;
  }
  const [first, end] = [samplesBefore(order, from), samplesBefore(order, steps)];
  const samples = end - first;
  const wholeEpochs = Math.floor(end / order.datasetSize) - Math.ceil(first / order.datasetSize);
  return {
    ok: firstFault === null,
    from,
    steps,
    samples,
    epochs: samples / order.datasetSize,
    wholeEpochs: Math.max(0, wholeEpochs),
    skippedSteps,
    skippedSamples: stoodIn.size,
    workers: workers.size,
    firstFault,
  };
}

function stepFault({ step }: LedgerLine, expected: number): string | null {
  if (step > expected)
    return `gap: ${expected + 1 === step ? `step ${expected} is` : `steps ${expected} to ${step - 1} are`} missing`;
  return step < expected ? `repeat: step ${step} comes a second time, where step ${expected} should be` : null;
}

/** Every micro-batch of the step was computed by one block, and has a digest. */
function blocksFault({ blocks, ids }: LedgerLine, V: number): string | null {
  let next = 0;
  for (const { lo, hi, worker } of [...blocks].sort((a, b) => a.lo - b.lo)) {
    if (lo > next) return `gap: micro-batch ${next} was computed by nobody`;
    if (lo < next) return `repeat: micro-batch ${lo} was computed twice, the second time by ${worker}`;
    if (hi <= lo) return `the block [${lo}, ${hi}) of ${worker} is empty`;
    next = hi;
  }
  if (next < V) return `gap: micro-batch ${next} was computed by nobody`;
  if (next > V) return `repeat: micro-batch ${V} does not exist, a step has ${V}`;
  return ids.length === V ? null : `${ids.length} digests of samples for ${V} micro-batches`;
}

/** The samples of the recorded ranges, each new in its epoch, are those that the workers read. */
function samplesFault(
  { step, ranges, ids, skippedSamples = [] }: LedgerLine,
  order: SampleOrder,
  walk: Walk,
  stoodIn: Map<number, number>,
): string | null {
  const { microBatch, datasetSize } = order;
  const used: number[] = [];
  for (const [epoch, from, to] of ranges) {
    const fault = walk.use(epoch, from, to, used);
    if (fault !== null) return fault;
  }
  const due = samplesBefore(order, step + 1) - samplesBefore(order, step);
  if (used.length !== due) return `${used.length} samples in a step of ${due}`;
  for (const [index, digest] of ids.entries()) {
    const expected = idsDigest(used.slice(index * microBatch, (index + 1) * microBatch));
    if (digest !== expected)
      return `micro-batch ${index} was computed from other samples than its place in the order holds (digest ${digest}, expected ${expected})`;
  }
  return skipFault(used, skippedSamples, datasetSize, stoodIn);
}

/** What was skipped was due in this step, and always has the same sample in its place. Notes what is new. */
function skipFault(
  used: readonly number[],
  skippedSamples: readonly (readonly [number, number])[],
  datasetSize: number,
  stoodIn: Map<number, number>,
): string | null {
  let next = 0;
  for (const id of used) {
    const [skipped, instead] = skippedSamples[next] ?? [];
    const isSkipped = skipped === id && instead !== undefined;
    const before = stoodIn.get(id);
    if (isSkipped && instead >= datasetSize) return `sample ${instead} was read for sample ${id}, and does not exist`;
    if (before !== undefined && before !== (isSkipped ? instead : id))
      return `sample ${before} was read for sample ${id} before, now ${isSkipped ? `sample ${instead}` : "itself"}`;
    if (!isSkipped) continue;
    stoodIn.set(id, instead);
    next++;
  }
  return next === skippedSamples.length ? null : `sample ${skippedSamples[next]![0]} was skipped, but not due here`;
}

type Walk = ReturnType<typeof startWalk>;

/** Walks the epochs, and marks each sample that is used; so many were used before. */
function startWalk({ seed, datasetSize }: SampleOrder, before: number) {
  let marks = new Uint8Array(Math.ceil(datasetSize / 8));
  let epoch = Math.floor(before / datasetSize);
  let cursor = before % datasetSize;
  for (let position = 0; position < cursor; position++) {
    const id = permute(seed, epoch, datasetSize, position);
    marks[id >>> 3]! |= 1 << (id & 7);
  }
  return {
    epochFault: (line: LedgerLine): string | null =>
      line.epoch === epoch ? null : `the line says epoch ${line.epoch}, the samples are in epoch ${epoch}`,

    /** Appends the ids at positions [from, to) to `used`, or says what is wrong with them. */
    use(rangeEpoch: number, from: number, to: number, used: number[]): string | null {
      if (rangeEpoch !== epoch || from !== cursor) {
        const kind = rangeEpoch > epoch || (rangeEpoch === epoch && from > cursor) ? "gap" : "repeat";
        return `${kind}: samples go on at position ${from} of epoch ${rangeEpoch}, where position ${cursor} of epoch ${epoch} should be`;
      }
      if (to <= from || to > datasetSize)
        return `positions [${from}, ${to}) do not exist in a set of ${datasetSize} samples`;
      for (; cursor < to; cursor++) {
        const id = permute(seed, epoch, datasetSize, cursor);
        const bit = 1 << (id & 7);
        if (marks[id >>> 3]! & bit) return `repeat: sample ${id} is used twice in epoch ${epoch}`;
        marks[id >>> 3]! |= bit;
        used.push(id);
      }
      if (cursor < datasetSize) return null;
      const missing = firstUnmarked(marks, datasetSize);
      if (missing >= 0) return `gap: sample ${missing} is not used in epoch ${epoch}`;
      marks = new Uint8Array(marks.length);
      epoch++;
      cursor = 0;
      return null;
    },
  };
}

function firstUnmarked(marks: Uint8Array, n: number): number {
  for (let id = 0; id < n; id++) if ((marks[id >>> 3]! & (1 << (id & 7))) === 0) return id;
  return -1;
}
