// What a run leaves on disk besides the ledger and the checkpoints: resolved job, data set card, metrics, loss chart,
// sample grids, summary. Every file is whole or absent.

import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StepLine } from "../../shared/bus/step-line.ts";
import { dumpJob } from "../../shared/config/load.ts";
import type { Job } from "../../shared/config/schema.ts";
import { writtenCard } from "../../shared/data/card.ts";
import { lossChart } from "../../shared/data/chart.ts";
import type { ImageSetCard } from "../../shared/data/image-set.ts";
import { PlumeError } from "../../shared/errors.ts";
import { readNdjson } from "../../shared/ndjson.ts";

/** The run's copy of its data set's index. */
export const DATA_INDEX = "data-index.bin";

export interface RunFolder {
  readonly path: string;
  file(...parts: string[]): string;
  metrics(line: Omit<StepLine, "atMs">): void;
  /** Draws loss.svg from all of metrics.ndjson. */
  chart(title: string): void;
  write(name: string, content: string | Uint8Array): void;
}

/** Creates the folder and its fixed files; on resume keeps only the metrics of steps before `fromStep`. */
export function openRunFolder(
  path: string,
  job: Job,
  set: ImageSetCard,
  fromStep: number,
  epochMs: () => number,
): RunFolder {
  try {
    for (const sub of ["samples", "logs"]) mkdirSync(join(path, sub), { recursive: true });
  } catch (error) {
    throw new PlumeError("INVALID_ARGUMENT", `cannot write the run folder ${path}: ${(error as Error).message}`, {
      remedy: "choose another folder with --out DIR",
      cause: error,
    });
  }
  const file = (...parts: string[]) => join(path, ...parts);
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(file(`${name}.tmp`), content);
    renameSync(file(`${name}.tmp`), file(name));
  };
  const metricsFile = file("metrics.ndjson");
  const kept = readNdjson<StepLine>(metricsFile).filter((line) => line.step < fromStep);
  write("metrics.ndjson", kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
  write("job.yaml", dumpJob(job));
  write("dataset.json", writtenCard(set));
  rmSync(file("summary.json"), { force: true });
  return {
    path,
    file,
    write,
    metrics({ step, ...line }) {
      try {
        appendFileSync(metricsFile, `${JSON.stringify({ step, atMs: epochMs(), ...line })}\n`);
      } catch {
        // A point of a curve is not worth a run: where nothing can be written, the ledger says so.
      }
    },
    chart: (title) => write("loss.svg", lossChart(readNdjson<StepLine>(metricsFile), { title })),
  };
}
