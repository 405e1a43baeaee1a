// What happens in a run, as one union of events: the progress line, metrics.ndjson, the page, logs and NATS all read it.

export interface MemberView {
  readonly workerId: string;
  readonly phase: string;
  readonly device: string;
  readonly transport: string;
  readonly imagesPerSecond: number;
  /** Milliseconds since it was last heard. */
  readonly heartbeatAgeMs: number;
  /** Its part of all micro-batches accepted from the present members, 0 to 1. */
  readonly share: number;
  /** Why it is suspect; empty when it is not. */
  readonly suspect: string;
  /** Micro-batches it holds in leases. */
  readonly queued: number;
  /** Part of the parameters pulled, 0 to 1; absent when nothing is being pulled. */
  readonly pulled?: number | undefined;
}

export const PHASES = [
  "Starting",
  "Waiting",
  "Recovering",
  "Training",
  "Paused",
  "Sampling",
  "Saving",
  "Complete",
  "Stopped",
  "Failed",
] as const;
export type Phase = (typeof PHASES)[number];

const ENDINGS = ["Complete", "Stopped", "Failed"] as const satisfies readonly Phase[];
export type Ending = (typeof ENDINGS)[number];

/** The run is over. */
export const isOver = (phase: Phase): phase is Ending => (ENDINGS as readonly Phase[]).includes(phase);

/** What wall time is spent on. */
export const GOODPUT_STATES = [
  "productive",
  "recovering",
  "checkpointing",
  "sampling",
  "waiting",
  "paused",
  "redone",
] as const;

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
  readonly incarnation: number;
  /** Workers asked for, and the bounds within which that number may be changed. */
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  /** What the job would like instead; absent without workers.autoscale, and before the first look. */
  readonly wish?: Wish | undefined;
  /** Where the wall time went, in seconds; the states sum to wallSeconds. */
  readonly secondsByState: Readonly<Record<string, number>>;
  readonly wallSeconds: number;
  readonly goodput: number;
  readonly saves: Saves;
  /** http://host:port of the run's page. */
  readonly page?: string | undefined;
}

export interface Wish {
  readonly workers: number;
  readonly reason: string;
  /** Until the last step, at the best number of workers that may be asked for; null before any was measured. */
  readonly leastSeconds: number | null;
}

/** What became of a run's checkpoints. */
export interface Saves {
  readonly written: number;
  readonly failed: number;
  /** Pauses after which a call of the store was made again. */
  readonly retried: number;
  /** Seconds that training waited for checkpoints and snapshots. */
  readonly stallSeconds: number;
  /** Checkpoints that were not whole when the run was resumed. */
  readonly passedOver: number;
}

/** From a failure to the next committed step. */
export interface Recovery {
  readonly kind: "worker" | "coordinator";
  readonly subject: string;
  readonly reason: string;
  /** The step that was committed next. */
  readonly step: number;
  readonly seconds: number;
  /** Milliseconds since the epoch, of the failure. */
  readonly atMs: number;
}

export const WORKER_CHANGES = ["joined", "left", "lost", "expelled", "refused", "suspect", "well"] as const;
export type WorkerChange = (typeof WORKER_CHANGES)[number];

/** Seconds of one step by part. The parts of workers are the slowest worker's; the rest is the coordinator's own. */
export interface StepSeconds {
  readonly total: number;
  /** From the first lease to the closed tree. */
  readonly gather: number;
  readonly compute: number;
  readonly pull: number;
  /** That the worker waited for its samples; the longest wait of them all. */
  readonly data: number;
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
      /** Who computed which micro-batches [lo, hi). */
      readonly blocks: readonly { readonly lo: number; readonly hi: number; readonly worker: string }[];
    }
  | { readonly kind: "phase"; readonly phase: Phase; readonly reason: string; readonly step: number }
  | {
      readonly kind: "worker";
      readonly workerId: string;
      readonly change: WorkerChange;
      readonly reason: string;
    }
  | {
      readonly kind: "checkpoint";
      readonly step: number;
      readonly key: string;
      readonly bytes: number;
      readonly seconds: number;
      /** That training waited for this save. */
      readonly stallSeconds: number;
    }
  | {
      readonly kind: "checkpoint-retry";
      readonly step: number;
      readonly reason: string;
      readonly afterSeconds: number;
    }
  | { readonly kind: "checkpoint-failed"; readonly step: number; readonly reason: string }
  | { readonly kind: "sample"; readonly step: number; readonly file: string }
  | { readonly kind: "recovered"; readonly recovery: Recovery }
  | { readonly kind: "scale"; readonly before: number; readonly replicas: number }
  | {
      readonly kind: "command";
      readonly verb: string;
      /** The wire it came by. */
      readonly by: string;
      /** "done", or code and message of the refusal. */
      readonly outcome: string;
    }
  | { readonly kind: "warning"; readonly message: string }
  | { readonly kind: "end"; readonly outcome: "complete" | "stopped" | "failed"; readonly reason: string };
