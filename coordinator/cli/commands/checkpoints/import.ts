// plume checkpoints import: a folder's weights as the start of a run.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { dumpJob, loadJob } from "../../../../shared/config/load.ts";
import type { Job } from "../../../../shared/config/schema.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { skeletonOf } from "../../../../shared/interop/job.ts";
import { isModelFolder, readModelFolder } from "../../../../shared/interop/read.ts";
import type { ObjectStore } from "../../../../shared/store/object-store.ts";
import { openStore } from "../../../../shared/store/open.ts";
import { action, type CommandIo } from "../../action.ts";
import { openStart } from "../../start.ts";

interface ImportOptions {
  readonly output: string;
  readonly file?: string;
}

export function importCommand(): Command {
  return new Command("import")
    .description("make a folder of weights the start of a run: a checkpoint at step 0")
    .argument(
      "<folder>",
      "what plume checkpoints export wrote, or a UNet2DModel in unet/ and a DDPMScheduler in scheduler/",
    )
    .requiredOption("-o, --output <run-or-store>", "the run's folder, or the URL of a store (file://, s3://)")
    .option("-f, --file <job>", "job file; of an exported folder its own job when absent")
    .addHelpText(
      "after",
      `
The job's model and process must be the folder's: what differs is named field by field. EMA and parameters start equal, the
optimizer's moments at zero. The job then has training.init, the sha256 of the weights, by which plume knows them again.
plume train -f JOB --init FOLDER does the same and trains.

Examples:
  plume checkpoints import fashion-diffusers -o runs/more
  plume train -f runs/more/job.yaml --out runs/more
  plume checkpoints import their-model -f job.yaml -o s3://bucket/more`,
    )
    .action(action(importFolder));
}

async function importFolder(io: CommandIo, { output, file }: ImportOptions, folder: string): Promise<undefined> {
  const start = await openStart(folder, file === undefined ? ownJob(folder) : loadJob(file, { set: [] }));
  const run = /^[a-z0-9]+:/i.test(output) ? null : resolve(output);
  const { checkpoint, store: access, training } = start.job.spec;
  const store: ObjectStore =
    run === null
      ? await openStore(output, access)
      : await openStore(checkpoint.store ?? `file://${join(run, "checkpoints")}`, access);
  const written = await start.write(store, io.signal);
  if (run !== null) keepJob(run, start.job);
  io.print(`${folder} is ${written ? "" : "already "}the start of ${output}: weights ${training.init}`);
  io.print(
    run === null
      ? `  set training.init: ${training.init} and checkpoint.store: ${output} in the job, and train it`
      : `  plume train -f ${join(output, "job.yaml")} --out ${output}`,
  );
  io.result({ folder, store: store.url, run, step: 0, init: training.init, written });
  return undefined;
}

/** @throws PlumeError INVALID_ARGUMENT with a job to begin with, for a folder that plume did not write. */
function ownJob(folder: string): Job {
  if (!isModelFolder(folder))
    throw new PlumeError(
      "NOT_FOUND",
      `${folder} is no folder of weights: it has no plume.json and no unet/config.json`,
      {
        remedy: "name what plume checkpoints export wrote, or what diffusers' save_pretrained did",
      },
    );
  const model = readModelFolder(folder);
  if (model.own) return asNew(model.own.job);
  throw new PlumeError("INVALID_ARGUMENT", `${folder} says nothing of data and training: -f JOB is needed`, {
    remedy: `begin with this job, and name your images in data.source:\n\n${skeletonOf(model)}`,
  });
}

/** The job of the folder without what was the earlier run's alone: its start, and its store. */
function asNew({ spec, ...job }: Job): Job {
  const { init: _, ...training } = spec.training;
  const { store: __, ...checkpoint } = spec.checkpoint;
  return { ...job, spec: { ...spec, training, checkpoint } };
}

/** As a run leaves it; one that is there already was trained or imported before. */
function keepJob(run: string, job: Job): void {
  mkdirSync(run, { recursive: true });
  const file = join(run, "job.yaml");
  if (!existsSync(file)) writeFileSync(file, dumpJob(job));
}
