// What a coordinator tells the collectors of a run: what it is, what happens, and how it stands when somebody scrapes.

import type { RunEvent, RunStatus } from "../../bus/events.ts";
import type { JobSpec } from "../../config/schema.ts";
import { collects } from "../metric.ts";

export interface RunContext {
  readonly spec: JobSpec;
  /** Samples an epoch. */
  readonly datasetSize: number;
  /** Steps that were in the ledger when this process began. */
  readonly committedBefore: number;
  /** Milliseconds since the epoch. */
  readonly epochMs: () => number;
}

export const FLOW_PAYLOADS = ["gradient", "sample", "params", "ema"] as const;
export const FLOW_TRANSPORTS = ["shm", "grpc"] as const;

/** Payload that went in or out of the coordinator. */
export interface Flow {
  readonly direction: "in" | "out";
  readonly payload: (typeof FLOW_PAYLOADS)[number];
  readonly transport: (typeof FLOW_TRANSPORTS)[number];
}

/** Micro-batches of gradient rounds since this process began. */
export interface WorkCounts {
  /** Taken from a worker that could not finish them, and given to another. */
  readonly reassigned: number;
  /** Computed, and not used: late, twice, or wrong. */
  readonly discarded: number;
  /** Computed a second time on purpose, by what for. */
  readonly copied: Readonly<Record<(typeof COPY_PURPOSES)[number], number>>;
}

export const COPY_PURPOSES = ["speculation", "audit", "settle"] as const;

/** What a status does not say. */
export interface RunFacts {
  /** Steps in the ledger. After a crash those that are computed again count already: it never goes back. */
  readonly committedSteps: number;
  /** Where the time went, as the next incarnation will know it: it never goes back, not even over a crash. */
  readonly secondsByState: Readonly<Record<string, number>>;
  /** The newest step that the store has; null when it has none. */
  readonly checkpointStep: number | null;
  readonly work: WorkCounts;
  readonly flows: readonly (Flow & { readonly bytes: number })[];
  /** Bytes that the gradients which came in have in float32. */
  readonly gradientRawBytes: number;
  /** Bytes that saves hold until the store has them. */
  readonly saveBufferBytes: number;
}

export interface RunSnapshot {
  readonly incarnation: number;
  readonly status: RunStatus;
  readonly facts: RunFacts;
}

/** Binds a collector of a run. */
export const ofRun = collects<RunContext, RunSnapshot, RunEvent>();
