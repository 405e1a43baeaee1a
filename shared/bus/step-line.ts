// A line of metrics.ndjson: what was measured of a committed step.

import type { StepSeconds } from "./events.ts";

export interface StepLine {
  readonly step: number;
  /** When it was committed, in milliseconds since the epoch; runs of an earlier plume did not say. */
  readonly atMs?: number;
  readonly loss: number;
  /** Its mean without weights, where losses are weighted by how often their time step is drawn. */
  readonly unweightedLoss?: number | undefined;
  readonly lr: number;
  readonly gradNorm: number;
  readonly workers: number;
  readonly imagesPerSecond: number;
  readonly seconds: StepSeconds;
}
