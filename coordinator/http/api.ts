// What the page and its server say to each other: the answers of GET /api/..., and the messages of GET /api/events.

import type { StampedEvent } from "../../shared/bus/event-log.ts";
import type { Recovery, RunEvent, RunStatus } from "../../shared/bus/events.ts";
import type { Decision } from "../../shared/control/verbs.ts";

/** Charts that have one number a step. */
export const SERIES = ["loss", "gradNorm", "lr", "imagesPerSecond", "workers"] as const;
export type SeriesName = (typeof SERIES)[number];

/** GET /api/run */
export interface RunAnswer {
  readonly job: string;
  readonly version: string;
  readonly incarnation: number;
  /** The run's folder on the coordinator's machine. */
  readonly folder: string;
  /** The resolved job, without what is secret. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly globalBatch: number;
  readonly microBatches: number;
  /** Images of a sample grid; 0 for a job that draws none. */
  readonly gridImages: number;
  /** Whether images can be asked for at /v1/images. */
  readonly draws: boolean;
  readonly status: RunStatus;
  readonly recoveries: readonly Recovery[];
  readonly decisions: readonly Decision[];
  readonly warnings: readonly string[];
  /** Newest kept checkpoint events and the like come by /api/events; this is how it ended, once it has. */
  readonly ended: { readonly outcome: string; readonly weightsSha256: string; readonly emaSha256: string } | null;
}

/** One number a bucket: its mean, and the lowest and highest in it. null where no step had a finite one. */
export interface SeriesAnswer {
  readonly mean: readonly (number | null)[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
}

/** GET /api/history?points=N&from=STEP&to=STEP */
export interface HistoryAnswer {
  /** Steps that one bucket stands for; 1: every step is there. */
  readonly perBucket: number;
  /** The middle of each bucket. */
  readonly steps: readonly number[];
  readonly series: Readonly<Record<SeriesName, SeriesAnswer>>;
  /** Of all that is known, not of what was asked for. */
  readonly first: number | null;
  readonly last: number | null;
}

/** Who computed a step: lo, hi and the worker's place in `workers`, three numbers a block. */
export type Column = readonly [step: number, blocks: readonly number[]];

/** GET /api/blocks */
export interface BlocksAnswer {
  /** Every so many-th step is there. */
  readonly stride: number;
  readonly workers: readonly string[];
  readonly columns: readonly Column[];
}

/** GET /api/samples */
export interface SampleAnswer {
  readonly step: number;
  /** Relative to the page. */
  readonly url: string;
}

export type StepEvent = Extract<RunEvent, { readonly kind: "step" }>;

/** GET /api/events: names of server-sent events, with what their data is. Only `kept` has an id. */
export interface Messages {
  /** The first: whom one is connected to. */
  readonly hello: { readonly incarnation: number; readonly version: string };
  readonly kept: Omit<StampedEvent, "id">;
  readonly steps: readonly StepEvent[];
  readonly status: RunStatus;
}
