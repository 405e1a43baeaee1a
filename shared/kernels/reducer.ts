// The contract of the thing that owns flat vectors and does arithmetic on them, off the event loop: in threads of this
// process, or in processes of their own (open-reducer.ts).

import type { OptimizerStep } from "../optim/optimizers.ts";
import type { Layout, PlacedTensor, Shard, Span } from "../tensor/layout.ts";
import type { TreeNode } from "../wire/codec.ts";
import type { Source } from "./group.ts";

/** A flat float32 vector over all shards. */
export interface Vector {
  readonly id: number;
}

interface PositionedTensor {
  readonly tensor: PlacedTensor;
  /** Of its first byte. */
  readonly position: number;
}

export interface Reducer<V extends Vector = Vector> extends AsyncDisposable {
  readonly layout: Layout;
  readonly params: V;
  readonly ema: V;
  /** The optimizer's state by its field name: adamw and adam { m, v }, rmsprop { v }, sgd { m }. */
  readonly moments: Readonly<Record<string, V>>;
  /** Bytes of a gradient on the wire. */
  readonly gradientBytes: number;
  /** A vector of unspecified content, from a free list; bounded by `maxVectors`. @throws PlumeError RESOURCE_EXHAUSTED */
  allocate(): V;
  release(vector: V): void;
  /** Takes a gradient in, as the wire carries it. @returns bytes that came. */
  land(vector: V, source: Source, signal?: AbortSignal): Promise<number>;
  /** A gradient has landed: makes its bytes floats. @returns their digest. */
  arrived(vector: V): Promise<string>;
  /** The value of a node: left + right, element by element in float32, rounded as the wire has it. Out may be either operand. */
  add(out: V, left: V, right: V, node: TreeNode): Promise<void>;
  /** Sum of squares in float64, in one fixed order (lanes, then shards by index). */
  squaredNorm(vector: V): Promise<number>;
  /** Index in the flat vector of the first NaN or infinity, or -1. */
  firstNonFinite(vector: V): Promise<number>;
  /** 16 hex digits that change with any bit; independent of thread count. */
  digest(vector: V): Promise<string>;
  /** Updates params and moments in place. @param span what moves; all when absent, and else no bit beside it. */
  optimize(gradient: V, step: OptimizerStep, span?: Span): Promise<void>;
  /** ema = ema * decay + params * (1 - decay). @param span as optimize. */
  updateEma(decay: number, span?: Span): Promise<void>;
  /** A copy of a shard's floats. */
  read(vector: V, shard: Shard): Promise<Float32Array>;
  /** Copies a shard's tensors without their padding, one behind the other, to the start of `into`. */
  readPacked(vector: V, shard: Shard, into: Uint8Array): Promise<void>;
  write(vector: V, shard: Shard, floats: Float32Array): Promise<void>;
  /** Fills tensors of any shards, each from its position in `bytes`; padding stays as it is. */
  writeTensors(vector: V, tensors: readonly PositionedTensor[], bytes: Uint8Array): Promise<void>;
  /** Writes the whole vector into a file, shards at their offsets. @throws when there is no room. */
  save(vector: V, file: string): Promise<void>;
}
