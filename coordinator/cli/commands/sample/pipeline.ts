// What is drawn: a checkpoint, or the last stage of a pipeline that gives images, from the bases that its file names.

import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { PlumeError } from "../../../../shared/errors.ts";
import { givesImages } from "../../../../shared/models/index.ts";
import { loadPipeline } from "../../../../shared/stages/load.ts";
import type { Pipeline, Stage } from "../../../../shared/stages/schema.ts";
import type { LowResOptions } from "./low-res.ts";

interface Drawn {
  readonly checkpoint: string;
  /** Of a pipeline's upsampler, nearest first. */
  readonly base?: readonly string[];
}

interface Asked extends LowResOptions {
  readonly pipeline?: string;
}

/** @throws PlumeError INVALID_ARGUMENT for neither or both, FAILED_PRECONDITION naming a stage that has no run yet. */
export function drawnBy(checkpoint: string | undefined, { pipeline: folder, base, images, fromData }: Asked): Drawn {
  if (folder === undefined) {
    if (checkpoint !== undefined) return { checkpoint };
    throw new PlumeError("INVALID_ARGUMENT", "nothing is named to sample from", {
      remedy: "name a checkpoint, such as runs/shapes, or --pipeline DIR",
    });
  }
  const other = checkpoint ?? (base && `--base ${base[0]}`);
  if (other !== undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--pipeline ${folder} and ${other}: images are drawn from one of them`, {
      remedy: "leave one out; a pipeline's file names the bases of its stages",
    });
  const [last, ...bases] = stagesOf(folder);
  const isGiven = images !== undefined || fromData !== undefined;
  return { checkpoint: last!, ...(bases.length > 0 && !isGiven && { base: bases }) };
}

/** Folders of the last stage that draws and of its bases. */
function stagesOf(folder: string): readonly string[] {
  const file = join(folder, "pipeline.yaml");
  if (!existsSync(file))
    throw new PlumeError("NOT_FOUND", `--pipeline ${folder}: there is no pipeline.yaml in it`, {
      remedy: "name the folder that plume pipeline run has filled, such as runs/distilled",
    });
  const pipeline = loadPipeline(file);
  const last = pipeline.stages.findLast(({ job }) => givesImages(job.spec.model.type));
  if (!last)
    throw new PlumeError("INVALID_ARGUMENT", `--pipeline ${folder}: none of its stages draws images`, {
      remedy: "plume eval RUN tells of a classifier how often it is right",
    });
  return chainOf(pipeline, last).map(({ name }) => runOf(folder, name));
}

function chainOf(pipeline: Pipeline, stage: Stage): readonly Stage[] {
  const base = pipeline.stages.find(({ name }) => name === stage.base);
  return base ? [stage, ...chainOf(pipeline, base)] : [stage];
}

function runOf(folder: string, stage: string): string {
  const run = join(resolve(folder), stage);
  if (existsSync(join(run, "job.yaml"))) return relative(process.cwd(), run) || ".";
  throw new PlumeError("FAILED_PRECONDITION", `--pipeline ${folder}: stage ${stage} has not been trained yet`, {
    remedy: "plume pipeline run -f FILE trains the stages that are not done; plume pipeline status says which",
  });
}
