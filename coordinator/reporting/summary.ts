// summary.json: the run in numbers, with the digests that prove which weights it ended with.

import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { MemberView } from "../../shared/bus/events.ts";
import type { Job } from "../../shared/config/schema.ts";
import { samplesOf } from "../../shared/config/turns.ts";
import type { ImageSetCard } from "../../shared/data/image-set.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { bytesOf } from "../../shared/rpc/call.ts";
import type { Summary } from "../../shared/summary.ts";
import type { Accounts } from "../accounting/accounts.ts";
import type { Progress } from "./progress.ts";

/** How a run ended. */
export interface RunOutcome {
  readonly kind: "complete" | "stopped";
  readonly step: number;
  readonly lastLoss: number;
  /** The last sample grid drawn. */
  readonly sampleGrid: string | null;
}

export interface SummaryInput {
  readonly job: Job;
  readonly set: ImageSetCard;
  readonly skippedSamples: number;
  readonly outcome: RunOutcome;
  readonly reducer: Reducer;
  readonly progress: Progress;
  readonly accounts: Accounts;
  readonly classes: readonly string[];
  readonly incarnation: number;
  readonly members: readonly MemberView[];
  readonly checkpoint: number | null;
  readonly unsaved: string | null;
}

export async function summarise({
  job,
  set,
  skippedSamples,
  outcome,
  reducer,
  progress,
  accounts,
  classes,
  incarnation,
  members,
  checkpoint,
  unsaved,
}: SummaryInput): Promise<Summary> {
  const { wallSeconds, goodput, secondsByState } = accounts.view();
  const { passedOver, ...checkpoints } = accounts.saves;
  const samples = samplesOf(job.spec, outcome.step);
  return {
    job: job.metadata.name,
    outcome: outcome.kind,
    steps: outcome.step,
    firstStep: accounts.firstStep,
    samples,
    skippedSamples,
    epochs: samples / set.size,
    dataset: set.name,
    fallback: set.fallback ?? null,
    parameters: reducer.layout.parameters,
    finalLoss: Number.isNaN(outcome.lastLoss) ? null : outcome.lastLoss,
    samplesPerSecond: progress.samplesPerSecond,
    weightsSha256: await digestOf(reducer, reducer.params),
    emaSha256: await digestOf(reducer, reducer.ema),
    workers: members.length,
    devices: [...new Set(members.map((member) => member.device))],
    transports: [...new Set(members.map((member) => member.transport))],
    recoveries: accounts.recoveries.length,
    recoveryLog: [...accounts.recoveries],
    incarnation,
    numericsClasses: [...classes],
    reproducible: accounts.blemishes.length === 0,
    blemishes: [...accounts.blemishes],
    goodput,
    secondsByState: { ...secondsByState },
    checkpoint,
    checkpoints,
    checkpointsPassedOver: passedOver,
    unsaved,
    sampleGrid: outcome.sampleGrid && basename(outcome.sampleGrid),
    wallSeconds,
  };
}

/** sha256 over names and values of all tensors in order, without padding. */
async function digestOf(reducer: Reducer, vector: Vector): Promise<string> {
  const hash = createHash("sha256");
  for (const shard of reducer.layout.shards) {
    const floats = await reducer.read(vector, shard);
    for (const { name, offset, size } of shard.tensors) {
      hash.update(`${name}\n`);
      hash.update(bytesOf(floats.subarray(offset - shard.offset, offset - shard.offset + size)));
    }
  }
  return hash.digest("hex");
}
