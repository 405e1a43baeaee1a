// The contract of a wire dtype: how a gradient is rounded, and how a rounded one becomes bytes and floats again. A codec
// names kernels (shared/kernels/assembly/wire.ts) and their arguments; whoever owns the memory runs them.
//
// I1. Every node of the canonical tree is rounded, leaves and root included. So the sum of any block is what the wire
//     carries, and the tree may be cut anywhere.
// I2. Encoding a rounded vector loses nothing: decode(encode(x)) = x, bit by bit, and rounding it again changes nothing.
// I3. Rounding is a function of the values and of their place (seed, step, node, position): no state, so that nothing is
//     lost with a worker.

import type { Block } from "../tensor/tree.ts";

/** A run of floats in a memory of kernels: one shard of a vector. */
export interface Place {
  /** Bytes from the start of the memory, 16-byte aligned. */
  readonly pointer: number;
  /** Floats, a multiple of 4. */
  readonly size: number;
  /** Index of the first in the flat vector. */
  readonly offset: number;
}

/** Whose value is rounded: a node of the canonical tree of a step. */
export interface TreeNode {
  readonly step: number;
  readonly block: Block;
}

/** Name and arguments of a kernel. */
export type WireCall = readonly [name: string, ...args: number[]];

export interface WireCodec {
  /** For whoever chooses one. */
  readonly about: string;
  /** Bytes that so many floats take on the wire; never more than they take in memory. */
  bytes(floats: number): number;
  /** The codec's kernels, or null where floats travel as they are. */
  readonly kernels: {
    round(at: Place, node: TreeNode, seed: number): WireCall;
    /** Rounded floats to bytes that begin where they did. */
    encode(at: Place): WireCall;
    /** Bytes that end where the floats will end, to floats. */
    decode(at: Place): WireCall;
  } | null;
}
