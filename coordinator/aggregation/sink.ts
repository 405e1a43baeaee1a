// Where the payload of one block goes: bytes come from wherever their worker put them, then all or nothing counts.

import type { Source } from "../../shared/kernels/group.ts";
import type { Block } from "../../shared/tensor/tree.ts";

export interface Sink {
  readonly bytes: number;
  /** Takes the payload in. @returns bytes that came. */
  fill(source: Source, signal: AbortSignal): Promise<number>;
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
