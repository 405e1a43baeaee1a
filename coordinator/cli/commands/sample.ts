// plume sample: pictures from a checkpoint.

import { Command } from "commander";
import type { PatchShape } from "../../../shared/data/patch.ts";
import { writeGrid } from "../../../shared/data/picture.ts";
import { checkWeights, flatOf, type ReadModel, readModel } from "../../../shared/interop/load-model.ts";
import { gridLabels } from "../../../shared/pipeline/generate.ts";
import { batchesOf, shownClasses } from "../../../shared/pipeline/tiles.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, chooseBackendFor } from "../backend.ts";
import type { DrawerWanted, Drawing } from "../drawing/messages.ts";
import { openPool } from "../drawing/pool.ts";
import { createImageProgress } from "../drawing/progress.ts";
import { drawersFor, parseDrawers, WORKERS_OPTION } from "../drawing/workers.ts";
import { CLASSIFIER_OPTION, readGuide, scaleOf } from "../guide.ts";
import { classOf, wholeNumber } from "../options.ts";
import { checkOutput, OUTPUT_OPTION, writeArray } from "../output.ts";
import {
  checkDraws,
  parseSampling,
  SAMPLING_OPTIONS,
  type SamplingOptions,
  SEED_OPTION,
  samplingFor,
} from "../sampling.ts";

interface SampleCommandOptions extends SamplingOptions {
  readonly count?: string;
  readonly class?: string;
  readonly classifier?: string;
  readonly classifierScale?: string;
  readonly weights?: string;
  readonly workers?: string;
  readonly backend?: string;
  readonly output: string;
}

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 8;

export function sampleCommand(): Command {
  const command = new Command("sample")
    .description("sample images from a run, a checkpoint store, one checkpoint or an exported folder")
    .argument("<checkpoint>", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option("--count <n>", "images (default: the job's sampling.count)")
    .option("--class <k>", "one class, by number or name (default: all in turn)");
  for (const option of SAMPLING_OPTIONS) command.option(...option);
  return command
    .option(...CLASSIFIER_OPTION)
    .option("--classifier-scale <s>", "of its gradient; 0 for none (default: the job's, or 1)")
    .option(...SEED_OPTION)
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...WORKERS_OPTION)
    .option(...BACKEND_OPTION)
    .requiredOption(...OUTPUT_OPTION)
    .addHelpText(
      "after",
      `
Examples:
  plume sample runs/fashion --class Sneaker --count 16 --guidance 2 -o sneakers.png
  plume sample runs/fashion --sampler dpmpp-2m --steps 10 --count 1000 -o images.npy
  plume sample runs/fashion --classifier runs/classifier --classifier-scale 4 -o guided.png
  plume sample runs/consistency --steps 1 -o one-step.png`,
    )
    .action(action(sample));
}

async function sample(io: CommandIo, options: SampleCommandOptions, checkpoint: string): Promise<undefined> {
  const { output } = options;
  checkOutput(output);
  const asked = parse(options);
  const model = await readModel(checkpoint, asked.weights);
  const { job, step, weights, imageSet } = model;
  checkDraws(checkpoint, job.spec);
  const sampling = samplingFor(job.spec, asked.sampling);
  const classifier = await readGuide(options.classifier, job.spec, imageSet);
  const { classifierScale: scale } = options;
  const classifierScale =
    scale === undefined ? job.spec.sampling.classifierScale : scaleOf("--classifier-scale", scale, classifier);
  const classes = shownClasses(job.spec, classifier);
  const only = options.class === undefined ? null : classOf(options.class, imageSet.classes, classes);
  const labelsOf = (indices: readonly number[]) =>
    only === null ? gridLabels(indices, classes) : indices.map(() => only);

  const count = asked.count ?? Math.max(1, job.spec.sampling.count);
  const batches = batchesOf(count, BATCH).map((indices) => {
    return { ...sampling, classifierScale, indices, labels: labelsOf(indices) };
  });
  const backend = await chooseBackendFor(options.backend, job);
  const workers = drawersFor(asked.workers, backend, batches.length);
  const pixels = await draw(io, model, { backend, classifier, workers, batches });

  await write(output, pixels, { count, ...imageSet }, only === null ? classes : 0);
  io.print(`${count} images of step ${step} (${weights} weights) in ${output}`);
  const { seed, steps, guidance } = sampling;
  io.result({
    ...{ file: output, count, step, weights, seed, steps, guidance, backend, workers },
    ...(classifier && { classifierScale: classifierScale ?? 1 }),
  });
  return undefined;
}

/** What can be checked before the model is known. @throws PlumeError INVALID_ARGUMENT. */
function parse(options: SampleCommandOptions) {
  const { count, workers, weights } = options;
  return {
    sampling: parseSampling(options),
    count: count === undefined ? undefined : wholeNumber("--count", count, 1),
    workers: parseDrawers(workers),
    weights: weights === undefined ? undefined : checkWeights(weights),
  };
}

interface Wanted extends Pick<Drawing, "backend" | "classifier"> {
  readonly workers: number;
  readonly batches: readonly DrawerWanted[];
}

/** @returns uint8 [count, H, W, C]. */
async function draw(io: CommandIo, model: ReadModel, { batches, workers, ...how }: Wanted): Promise<Uint8Array> {
  const { height, width, channels } = model.imageSet;
  const image = { height, width, channels };
  const { flat } = await flatOf(model);
  using pool = await openPool(workers, { ...how, model: { spec: model.job.spec, image } }, io.signal);
  await pool.load(flat);
  const count = batches.reduce((sum, { indices }) => sum + indices.length, 0);
  const progress = createImageProgress(process.stderr, count, Date.now);
  const { pixels } = await pool.draw(batches, progress.show).finally(progress.end);
  return pixels;
}

type Pictures = PatchShape & { readonly count: number; readonly classes: readonly string[] };

/** @param columns one a class; 0 for a square. */
async function write(output: string, pixels: Uint8Array, pictures: Pictures, columns: number): Promise<void> {
  const { count, height, width, channels, classes } = pictures;
  if (output.endsWith(".npy")) return writeArray(output, pixels, pictures);
  const labels = columns > 0 && classes.length > 0 ? { labels: classes.slice(0, columns) } : {};
  const shape = { count, height, width, channels, columns: columns || Math.ceil(Math.sqrt(count)) };
  await writeGrid(output, pixels, { ...shape, ...labels });
}
