// What a worker process tells its collectors: plain numbers, counted where they arise.

import { collects } from "../metric.ts";

export const WORK_PARTS = ["pull", "data", "compute", "push"] as const;
export type WorkPart = (typeof WORK_PARTS)[number];

/** Counted on the main thread; what only the compute thread knows comes with its replies. */
export interface WorkerCounts {
  /** A session is up and this worker is ready. */
  readonly connected: boolean;
  readonly sessions: number;
  readonly blocks: { readonly taken: number; readonly dropped: number };
  readonly microBatches: number;
  readonly seconds: Readonly<Record<WorkPart, number>>;
  readonly bytes: Readonly<Record<"in" | "out", Readonly<Record<"shm" | "grpc", number>>>>;
  /** Of the newest block; null before the first. */
  readonly device: DeviceFigures | null;
}

/** Of the compute thread, between two blocks. */
export interface DeviceFigures {
  readonly tensors: number;
  readonly tensorBytes: number;
  /** Of the backend's memory: the whole heap of wasm, what is allocated elsewhere. */
  readonly usedBytes: number;
}

/** Binds a collector of a worker. */
export const ofWorker = collects<null, WorkerCounts>();
