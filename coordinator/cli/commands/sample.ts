// plume sample: pictures from a checkpoint.

import { Command } from "commander";
import { writeGrid } from "../../../shared/data/picture.ts";
import { loadModel } from "../../../shared/interop/load-model.ts";
import { createGenerator, gridLabels } from "../../../shared/pipeline/generate.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { classOf, wholeNumber } from "../options.ts";
import { checkOutput, OUTPUT_OPTION, writeArray } from "../output.ts";
import { breathe, parseSampling, SAMPLING_OPTIONS, type SamplingOptions, samplingFor } from "../sampling.ts";

interface SampleCommandOptions extends SamplingOptions {
  readonly count?: string;
  readonly class?: string;
  readonly weights?: string;
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
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .requiredOption(...OUTPUT_OPTION)
    .addHelpText(
      "after",
      "\nExample:\n  plume sample runs/fashion --class Sneaker --count 16 --guidance 2 -o sneakers.png",
    )
    .action(action(sample));
}

async function sample(io: CommandIo, options: SampleCommandOptions, checkpoint: string): Promise<undefined> {
  const { output } = options;
  checkOutput(output);
  const asked = parseSampling(options);
  const wanted = options.count === undefined ? undefined : wholeNumber("--count", options.count, 1);
  const { job, step, weights, imageSet, network, params, backend } = await loadModel(
    checkpoint,
    options.weights,
    (trained) => openBackendFor(options.backend, trained),
  );
  const { program } = backend;
  const { model } = job.spec;
  const count = wanted ?? Math.max(1, job.spec.sampling.count);
  const sampling = samplingFor(job.spec, asked);
  const only = options.class === undefined ? null : classOf(options.class, imageSet.classes, model.classes);

  const { height, width, channels } = imageSet;
  const generate = createGenerator({ spec: job.spec, network, params, image: { height, width, channels }, program });
  const pixels = new Uint8Array(count * height * width * channels);
  for (let from = 0; from < count; from += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, count - from) }, (_, k) => from + k);
    const labels = only === null ? gridLabels(indices, model.classes) : indices.map(() => only);
    const batch = await generate({ ...sampling, indices, labels, onStep: () => breathe(io.signal) });
    pixels.set(batch, from * height * width * channels);
    io.note(`  ${Math.min(from + BATCH, count)} of ${count} images`);
  }
  if (output.endsWith(".npy")) writeArray(output, pixels, { height, width, channels });
  else {
    const columns = only === null && model.classes > 0 ? model.classes : Math.ceil(Math.sqrt(count));
    const labels = only === null && model.classes > 0 ? imageSet.classes.slice(0, columns) : null;
    await writeGrid(output, pixels, { count, height, width, channels, columns, ...(labels ? { labels } : {}) });
  }
  io.print(`${count} images of step ${step} (${weights} weights) in ${output}`);
  const { seed, steps, guidance } = sampling;
  io.result({ file: output, count, step, weights, seed, steps, guidance });
  return undefined;
}
