// summary.json as a type: written by the coordinator, read by the command line and by whoever compares runs.

import { readFileSync } from "node:fs";
import { z } from "zod";
import { PlumeError } from "./errors.ts";

/** shared/bus/events.ts: Recovery. */
export const recoverySchema = z.object({
  kind: z.enum(["worker", "coordinator"]),
  subject: z.string(),
  reason: z.string(),
  step: z.int(),
  seconds: z.number(),
  atMs: z.number(),
});

const summarySchema = z.object({
  job: z.string(),
  outcome: z.enum(["complete", "stopped"]),
  /** Committed optimizer steps, those before a resume included. */
  steps: z.int(),
  firstStep: z.int(),
  samples: z.int(),
  /** Different samples that could not be decoded, under data.onError: skip. Runs of an earlier plume had none. */
  skippedSamples: z.int().default(0),
  epochs: z.number(),
  dataset: z.string(),
  /** Why another data set than the job's was used; null when it was not. */
  fallback: z.string().nullable(),
  parameters: z.int(),
  finalLoss: z.number().nullable(),
  samplesPerSecond: z.number(),
  weightsSha256: z.string(),
  emaSha256: z.string(),
  /** Members at the end. */
  workers: z.int(),
  devices: z.array(z.string()),
  transports: z.array(z.string()),
  /** Failures that the run survived: workers lost, coordinators started again. */
  recoveries: z.int(),
  /** Each of them, from the failure to the next committed step. */
  recoveryLog: z.array(recoverySchema),
  /** Coordinators that this run folder has had. */
  incarnation: z.int(),
  /** Digests of the canary micro-batch of all workers that took part. */
  numericsClasses: z.array(z.string()),
  /** False when something may have changed its bits; `blemishes` says what. */
  reproducible: z.boolean(),
  blemishes: z.array(z.string()),
  /** Productive seconds over wall seconds. */
  goodput: z.number(),
  /** Where the wall time went. */
  secondsByState: z.record(z.string(), z.number()),
  /** The newest that the store has; null for none. */
  checkpoint: z.int().nullable(),
  // What a summary of an earlier plume has not is nothing, so that it can still be audited.
  checkpoints: z
    .object({
      written: z.int(),
      failed: z.int(),
      /** Pauses after which a call of the store was made again. */
      retried: z.int(),
      /** Seconds that training waited for checkpoints and snapshots. */
      stallSeconds: z.number(),
    })
    .default({ written: 0, failed: 0, retried: 0, stallSeconds: 0 }),
  /** Checkpoints that were not whole when the run was resumed. */
  checkpointsPassedOver: z.int().default(0),
  /** Why the last state of the run is not in its store; null when it is. */
  unsaved: z.string().nullable().default(null),
  /** File name in samples/. */
  sampleGrid: z.string().nullable(),
  wallSeconds: z.number(),
});

export type Summary = z.infer<typeof summarySchema>;

export function readSummary(file: string): Summary {
  try {
    return summarySchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw new PlumeError("NOT_FOUND", `${file} is no summary of a run`, {
      remedy: "name the folder of a finished run",
      cause: error,
    });
  }
}
