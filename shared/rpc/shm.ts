// The shared-memory folder: names inside it. What the coordinator writes, a worker reads, and the reverse. Files are
// written over rather than anew where nobody needs them any more: a fresh page of tmpfs costs more than filling it. Who
// reads a file that is written over meanwhile gets other bytes than the digest says.

/** tmpfs on Linux; a machine without it uses gRPC for its tensors. */
export const SHM_ROOT = "/dev/shm";
export const NONCE_FILE = "nonce";

export const sharedParamsFile = (kind: "params" | "ema", version: number): string => `${kind}-${version}.f32`;

/** A worker process writes one file over and over; `slot` counts its pushes that are under way at once. */
export const sharedResultFile = (workerId: string, pid: number, slot: number): string =>
  `result-${workerId}-${pid}-${slot}.bin`;

export const isResultOf = (file: string, workerId: string): boolean =>
  file.startsWith(`result-${workerId}-`) && /^\d+-\d+\.bin$/.test(file.slice(`result-${workerId}-`.length));
