// The partial sum of a block of micro-batches: leaves computed one after another, siblings of the canonical tree added
// as soon as both are there, every node rounded as the wire has it. What a worker hands in, and what an audit computes again.

import type { HeapVector, VectorHeap } from "../kernels/kernels.ts";
import { type Block, sumBlock } from "../tensor/tree.ts";
import type { DeviceParams } from "./device-params.ts";
import type { ComputeMicroBatch, MicroBatch } from "./micro-batch.ts";

export interface BlockGradient {
  /** On the heap: release it. */
  readonly sum: HeapVector;
  /** Mean loss of each micro-batch, in index order. */
  readonly losses: readonly number[];
  /** That of each sample, float32, as micro-batch.ts says; 0 where it is silent. */
  readonly sampleLosses: Float32Array;
}

export interface BlockWork {
  readonly step: number;
  readonly block: Block;
  /** The block's micro-batches in index order. */
  readonly batches: readonly Omit<MicroBatch, "step" | "weights">[];
  /** Of the step's time steps: the same for all its micro-batches. */
  readonly weights?: Float64Array | undefined;
  /** One more micro-batch is done. What it throws ends the block. */
  readonly onLeaf?: (done: number) => void;
}

export async function blockGradient(
  heap: VectorHeap,
  compute: ComputeMicroBatch,
  params: DeviceParams,
  { step, block, batches, weights, onLeaf }: BlockWork,
): Promise<BlockGradient> {
  const losses: number[] = [];
  const n = batches[0]?.labels.length ?? 0;
  const sampleLosses = new Float32Array(n * batches.length);
  const live = new Set<HeapVector>();
  const summing = sumBlock(
    block,
    async (index) => {
      const leaf = heap.allocate();
      live.add(leaf);
      const at = index - block.lo;
      const own = sampleLosses.subarray(at * n, (at + 1) * n);
      losses.push(await compute(params, { step, weights, ...batches[at]! }, leaf.floats, own));
      heap.round(leaf, { step, block: { lo: index, hi: index + 1 } });
      onLeaf?.(losses.length);
      return leaf;
    },
    (left, right, node) => {
      heap.add(left, left, right);
      heap.round(left, { step, block: node });
      heap.release(right);
      live.delete(right);
      return left;
    },
  );
  try {
    return { sum: await summing, losses, sampleLosses };
  } catch (error) {
    for (const vector of live) heap.release(vector);
    throw error;
  }
}
