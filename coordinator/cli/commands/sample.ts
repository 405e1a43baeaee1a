// plume sample: pictures from a checkpoint.

import { existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { encodeNpy } from "../../../shared/data/npy.ts";
import { writeGrid } from "../../../shared/data/picture.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { loadModel } from "../../../shared/interop/load-model.ts";
import { createGenerator, gridLabels } from "../../../shared/pipeline/generate.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { classOf, wholeNumber } from "../options.ts";
import { type SamplingOptions, samplingChoice, withSamplingOptions } from "../sampling-choice.ts";

interface SampleCommandOptions extends SamplingOptions {
  readonly count?: string;
  readonly class?: string;
  readonly seed: string;
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
  return withSamplingOptions(command)
    .option("--seed <s>", "seed of the noise", "0")
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .requiredOption("-o, --output <file>", "FILE.png for a grid, FILE.npy for uint8 [n, height, width, channels]")
    .addHelpText(
      "after",
      "\nExample:\n  plume sample runs/fashion --class Sneaker --count 16 --guidance 2 -o sneakers.png",
    )
    .action(action(sample));
}

async function sample(io: CommandIo, options: SampleCommandOptions, checkpoint: string): Promise<undefined> {
  const { output } = options;
  if (!/\.(png|npy)$/.test(output))
    throw new PlumeError("INVALID_ARGUMENT", `-o ${output} is neither .png nor .npy`, {
      remedy: "for example -o grid.png",
    });
  // Before the minutes of sampling, not after.
  const folder = dirname(resolve(output));
  if (!existsSync(folder))
    throw new PlumeError("NOT_FOUND", `-o ${output}: there is no folder ${folder}`, {
      remedy: "create it first, or name another file",
    });
  const given = {
    count: options.count === undefined ? undefined : wholeNumber("--count", options.count, 1),
    seed: wholeNumber("--seed", options.seed),
  };
  const choose = samplingChoice(options);
  const { job, step, weights, imageSet, network, params, backend } = await loadModel(
    checkpoint,
    options.weights,
    (trained) => openBackendFor(options.backend, trained),
  );
  const { program } = backend;
  const { sampling, model } = job.spec;
  const count = given.count ?? Math.max(1, sampling.count);
  const choice = choose(job.spec);
  const only = options.class === undefined ? null : classOf(options.class, imageSet.classes, model.classes);

  const { height, width, channels } = imageSet;
  const generate = createGenerator({ spec: job.spec, network, params, image: { height, width, channels }, program });
  const pixels = new Uint8Array(count * height * width * channels);
  for (let from = 0; from < count; from += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, count - from) }, (_, k) => from + k);
    const labels = only === null ? gridLabels(indices, model.classes) : indices.map(() => only);
    const batch = await generate({
      indices,
      labels,
      seed: given.seed,
      ...choice,
      onStep: async () => {
        // Lets a Ctrl-C in: the backend computes on this thread.
        await new Promise((resolve) => setImmediate(resolve));
        io.signal.throwIfAborted();
      },
    });
    pixels.set(batch, from * height * width * channels);
    io.note(`  ${Math.min(from + BATCH, count)} of ${count} images`);
  }
  if (output.endsWith(".npy")) writeFileSync(output, encodeNpy(pixels, [count, height, width, channels]));
  else {
    const columns = only === null && model.classes > 0 ? model.classes : Math.ceil(Math.sqrt(count));
    const labels = only === null && model.classes > 0 ? imageSet.classes.slice(0, columns) : null;
    await writeGrid(output, pixels, { count, height, width, channels, columns, ...(labels ? { labels } : {}) });
  }
  io.print(`${count} images of step ${step} (${weights} weights) in ${output}`);
  io.result({ file: output, count, step, weights, seed: given.seed, steps: choice.steps, guidance: choice.guidance });
  return undefined;
}
