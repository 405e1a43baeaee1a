// What happens in a run, as one union of events: the progress line, metrics.ndjson, logs and (later) NATS all read it.

export interface MemberView {
  readonly workerId: string;
  readonly phase: string;
  readonly device: string;
  readonly transport: string;
  readonly imagesPerSecond: number;
}

export const PHASES = [
  "Starting",
  "Waiting",
  "Training",
  "Sampling",
  "Saving",
  "Complete",
  "Stopped",
  "Failed",
] as const;
export type Phase = (typeof PHASES)[number];

export interface RunStatus {
  readonly job: string;
  readonly phase: Phase;
  /** Why it is in this phase, in words a person understands. */
  readonly reason: string;
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly imagesPerSecond: number;
  readonly etaSeconds: number;
  readonly workers: number;
  readonly members: readonly MemberView[];
}

/** Seconds of one step by part. The parts of workers are the slowest worker's; the rest is the coordinator's own. */
export interface StepSeconds {
  readonly total: number;
  /** From the first lease to the closed tree. */
  readonly gather: number;
  readonly compute: number;
  readonly forward: number;
  readonly backward: number;
  readonly pull: number;
  /** What gathering took beyond the slowest worker's compute: leases, pulls, pushes, sums above the blocks. */
  readonly handover: number;
  readonly reduce: number;
  readonly optimize: number;
  readonly publish: number;
}

export type RunEvent =
  | { readonly kind: "status"; readonly status: RunStatus }
  | {
      readonly kind: "step";
      readonly step: number;
      readonly loss: number;
      readonly gradNorm: number;
      readonly lr: number;
      readonly workers: number;
      readonly skipped: boolean;
      readonly imagesPerSecond: number;
      readonly seconds: StepSeconds;
    }
  | {
      readonly kind: "worker";
      readonly workerId: string;
      readonly change: "joined" | "left" | "expelled" | "refused";
      readonly reason: string;
    }
  | {
      readonly kind: "checkpoint";
      readonly step: number;
      readonly key: string;
      readonly bytes: number;
      readonly seconds: number;
    }
  | { readonly kind: "checkpoint-failed"; readonly step: number; readonly reason: string }
  | { readonly kind: "sample"; readonly step: number; readonly file: string }
  | { readonly kind: "warning"; readonly message: string }
  | { readonly kind: "end"; readonly outcome: "complete" | "stopped" | "failed"; readonly reason: string };
