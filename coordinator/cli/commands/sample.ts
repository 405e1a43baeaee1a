// plume sample: pictures from a checkpoint.

import { availableParallelism } from "node:os";
import { Command } from "commander";
import { writeGrid } from "../../../shared/data/picture.ts";
import { checkWeights, flatOf, readModel } from "../../../shared/interop/load-model.ts";
import { gridLabels } from "../../../shared/pipeline/generate.ts";
import { shownClasses } from "../../../shared/pipeline/tiles.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, chooseBackendFor } from "../backend.ts";
import { openPool } from "../drawing/pool.ts";
import { createImageProgress } from "../drawing/progress.ts";
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
    .option("--workers <n>", "processes that draw (default: one a core, one on a GPU); their number changes no pixel")
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
  const asked = parseSampling(options);
  const wanted = options.count === undefined ? undefined : wholeNumber("--count", options.count, 1);
  const workers = options.workers === undefined ? undefined : wholeNumber("--workers", options.workers, 1);
  const model = await readModel(checkpoint, options.weights === undefined ? undefined : checkWeights(options.weights));
  const { job, step, weights, imageSet } = model;
  checkDraws(checkpoint, job.spec);
  const count = wanted ?? Math.max(1, job.spec.sampling.count);
  const sampling = samplingFor(job.spec, asked);
  const classifier = await readGuide(options.classifier, job.spec, imageSet);
  const classifierScale =
    options.classifierScale === undefined
      ? job.spec.sampling.classifierScale
      : scaleOf("--classifier-scale", options.classifierScale, classifier);
  const classes = shownClasses(job.spec, classifier);
  const only = options.class === undefined ? null : classOf(options.class, imageSet.classes, classes);
  const { height, width, channels } = imageSet;
  const image = { height, width, channels };
  const backend = await chooseBackendFor(options.backend, job);

  const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, k) => {
    const indices = Array.from({ length: Math.min(BATCH, count - k * BATCH) }, (_, i) => k * BATCH + i);
    const labels = only === null ? gridLabels(indices, classes) : indices.map(() => only);
    return { ...sampling, classifierScale, indices, labels };
  });
  const drawers = Math.min(workers ?? (ON_GPU.has(backend) ? 1 : availableParallelism()), batches.length);
  const { flat } = await flatOf(model);
  const drawing = { backend, model: { spec: job.spec, channels, flat }, classifier, image };
  using pool = await openPool(drawers, drawing, io.signal);
  const progress = createImageProgress(process.stderr, count, Date.now);
  const pixels = await pool.draw(batches, progress.show).finally(progress.end);

  if (output.endsWith(".npy")) writeArray(output, pixels, image);
  else {
    const columns = only === null && classes > 0 ? classes : Math.ceil(Math.sqrt(count));
    const labels =
      only === null && classes > 0 && imageSet.classes.length > 0 ? imageSet.classes.slice(0, columns) : null;
    await writeGrid(output, pixels, { count, height, width, channels, columns, ...(labels ? { labels } : {}) });
  }
  io.print(`${count} images of step ${step} (${weights} weights) in ${output}`);
  const { seed, steps, guidance } = sampling;
  io.result({
    ...{ file: output, count, step, weights, seed, steps, guidance, backend, workers: drawers },
    ...(classifier && { classifierScale: classifierScale ?? 1 }),
  });
  return undefined;
}

/** One process fills it. */
const ON_GPU: ReadonlySet<string> = new Set(["tfjs-node-gpu", "webgpu"]);
