// Where the payload of one block goes: bytes land in order of arrival at their offsets, then all or nothing counts.

import type { Block } from "../../shared/tensor/tree.ts";

export interface Sink {
  readonly bytes: number;
  /** Memory to write into, in order; together `bytes` long. */
  readonly regions: readonly Uint8Array[];
  /** All bytes are there. @returns the digest of what they mean. */
  arrived(): Promise<string>;
  /** The block is accepted: its payload joins the result. */
  collect(): Promise<void>;
  /** Nobody needs it. */
  discard(): void;
}

/** Makes the sinks of one attempt at a round. A round that begins again gets a new collector. */
export interface Collector {
  open(block: Block): Sink;
  /** Gives back what was collected so far; what is being collected now is given back when it is done. */
  dispose(): void;
}
