// The contract of the thing that owns flat vectors and does arithmetic on them, off the event loop.
// threads.ts implements it with one thread a group of shards; later a reducer process may.

import type { Layout } from "../tensor/layout.ts";
import type { TreeNode } from "../wire/codec.ts";

/** A flat float32 vector over all shards, in shared memory. */
export interface Vector {
  readonly id: number;
  /** The shard's floats: a view on shared memory, 16-byte aligned. Do not keep it past release(). */
  shard(index: number): Float32Array;
}

export interface OptimizerStep {
  readonly type: "adamw" | "adam" | "rmsprop" | "sgd";
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Multiplies every gradient element first: 1/V times the clip coefficient. */
  readonly gradientScale: number;
  /** 1 for the first step; the bias corrections are functions of it. */
  readonly count: number;
}

export interface Reducer extends AsyncDisposable {
  readonly layout: Layout;
  readonly params: Vector;
  readonly ema: Vector;
  /** The optimizer's state by its field name: adamw and adam { m, v }, rmsprop { v }, sgd { m }. */
  readonly moments: Readonly<Record<string, Vector>>;
  /** A vector of unspecified content, from a free list; bounded by `maxVectors`. @throws PlumeError RESOURCE_EXHAUSTED */
  allocate(): Vector;
  release(vector: Vector): void;
  /** The value of a node: left + right, element by element in float32, rounded as the wire has it. Out may be either operand. */
  add(out: Vector, left: Vector, right: Vector, node: TreeNode): Promise<void>;
  /** Where a gradient's bytes land as the wire carries them, shard by shard: views on the vector's memory. */
  landing(vector: Vector): Uint8Array[];
  /** The bytes are there: makes them floats. @returns their digest. */
  arrived(vector: Vector): Promise<string>;
  /** Sum of squares in float64, in one fixed order (lanes, then shards by index). */
  squaredNorm(vector: Vector): Promise<number>;
  /** Index in the flat vector of the first NaN or infinity, or -1. */
  firstNonFinite(vector: Vector): Promise<number>;
  /** 16 hex digits that change with any bit; independent of thread count. */
  digest(vector: Vector): Promise<string>;
  /** Updates params and moments in place. */
  optimize(gradient: Vector, step: OptimizerStep): Promise<void>;
  /** ema = ema * decay + params * (1 - decay). */
  updateEma(decay: number): Promise<void>;
}
