// A run's folder as a run leaves it, written without training: for readers of folders, of any length.

import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { dumpJob, parseJob } from "../../shared/config/load.ts";
import { idsDigest, rangesOfStep, sampleIds } from "../../shared/data/order.ts";

interface WrittenRun {
  readonly steps: number;
  readonly name?: string;
  /** Steps of the whole job. */
  readonly of?: number;
  readonly lr?: number;
}

/** Milliseconds since the epoch, of the first step. */
export const BEGAN_MS = 1_795_000_000_000;

/** Ledger, metrics, job and data set: four micro-batches a step of one sample each, worker-0 and worker-1 by turns. */
export function writeRun(folder: string, { steps, name = "written", of = steps, lr = 2e-3 }: WrittenRun): void {
  mkdirSync(join(folder, "samples"), { recursive: true });
  const job = parseJob(`metadata: { name: ${name} }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2 }
  training: { steps: ${of}, globalBatch: 4, microBatch: 1, optimizer: { lr: ${lr} } }`);
  const { seed, training } = job.spec;
  const order = { seed, datasetSize: 64, globalBatch: training.globalBatch, microBatch: training.microBatch };
  writeFileSync(join(folder, "job.yaml"), dumpJob(job));
  writeFileSync(join(folder, "dataset.json"), JSON.stringify({ name: "shapes:64", size: 64, digest: "d".repeat(64) }));
  let ledger = "";
  let metrics = "";
  for (let step = 0; step < steps; step++) {
    const ranges = rangesOfStep(order, step).map(({ epoch, from, to }) => [epoch, from, to] as const);
    const ids = [0, 1, 2, 3].map((index) => idsDigest(sampleIds(order, step, index)));
    const cut = step % 3 === 0 ? 4 : 2;
    const blocks = [
      { lo: 0, hi: cut, worker: "worker-0", attempt: 1 },
      ...(cut < 4 ? [{ lo: cut, hi: 4, worker: "worker-1", attempt: 2 }] : []),
    ];
    const loss = 0.2 + 1 / (1 + step / 50) + 0.05 * Math.sin(step * 7.3);
    const common = { step, loss, lr, gradNorm: 1 + Math.sin(step) ** 2 };
    ledger += `${JSON.stringify({ ...common, epoch: ranges[0]![0], ranges, ids, blocks, gradDigest: "91ab91ab91ab91ab" })}\n`;
    const seconds = {
      total: 0.1,
      gather: 0.08,
      compute: 0.06,
      handover: 0.02,
      pull: 0.004,
      data: 0.001,
      reduce: 0.01,
      optimize: 0.005,
      publish: 0.005,
    };
    metrics += `${JSON.stringify({ ...common, atMs: BEGAN_MS + 100 * (step + 1), workers: blocks.length, imagesPerSecond: 40, seconds })}\n`;
    if (ledger.length < 1 << 22 && step < steps - 1) continue;
    appendFileSync(join(folder, "ledger.ndjson"), ledger);
    appendFileSync(join(folder, "metrics.ndjson"), metrics);
    ledger = "";
    metrics = "";
  }
}

export function writeEvents(
  folder: string,
  events: readonly (readonly [string, number, StampedEvent["event"]])[],
): void {
  const lines = events.map(([id, atMs, event]) => `${JSON.stringify({ id, atMs, event })}\n`);
  writeFileSync(join(folder, "events.ndjson"), lines.join(""));
}
