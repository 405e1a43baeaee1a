// Whether a job's vectors fit in this machine, asked before anything of them is allocated: the system would otherwise
// kill the coordinator in the middle of its first step, without a word.

import { PlumeError } from "../../shared/errors.ts";

export interface MemoryNeed {
  /** Of one flat vector. */
  readonly vectorBytes: number;
  /** State vectors of the optimizer. */
  readonly moments: number;
  /** Gradients that arrive at once: a block a worker. */
  readonly blocks: number;
  /** Most that copies on their way to a store may take. */
  readonly bufferBytes: number;
}

/** In bytes. A shift would be one of 32 bits, and negative from 2 GiB on. */
export const mebibytes = (count: number): number => count * 2 ** 20;

/**
 * Parameters and EMA, the optimizer's state, the gradients that arrive, the sum that they join, and what is being saved:
 * two copies of the state at most.
 */
export const bytesNeeded = ({ vectorBytes, moments, blocks, bufferBytes }: MemoryNeed): number =>
  (2 + moments + blocks + 1) * vectorBytes + Math.min(bufferBytes, 2 * (2 + moments) * vectorBytes);

/** @throws PlumeError RESOURCE_EXHAUSTED when there is less than needed. */
export function checkMemory(need: MemoryNeed, availableBytes: number): void {
  const bytes = bytesNeeded(need);
  if (bytes <= availableBytes) return;
  const gib = (n: number) => `${(n / 2 ** 30).toFixed(1)} GiB`;
  throw new PlumeError(
    "RESOURCE_EXHAUSTED",
    `the coordinator needs ${gib(bytes)} for parameters, EMA, optimizer, ${need.blocks} gradients of ${gib(need.vectorBytes)} each, and copies on their way to the store, and has ${gib(availableBytes)}`,
    {
      remedy:
        "lower model.channels, workers.replicas or checkpoint.bufferMiB, or start it on a machine with more memory",
    },
  );
}
