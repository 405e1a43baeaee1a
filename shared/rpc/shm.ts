// Names inside the shared-memory folder: what the coordinator writes, a worker reads, and the reverse.

import type { Block } from "../tensor/tree.ts";

/** tmpfs on Linux; a machine without it uses gRPC for its tensors. */
export const SHM_ROOT = "/dev/shm";
export const NONCE_FILE = "nonce";

export const sharedParamsFile = (kind: "params" | "ema", version: number): string => `${kind}-${version}.f32`;

export const sharedResultFile = (workerId: string, step: number, block: Block, attempt: number): string =>
  `result-${workerId}-${step}-${block.lo}-${block.hi}-${attempt}.bin`;
