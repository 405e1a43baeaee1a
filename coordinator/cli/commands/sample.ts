// plume sample: pictures from a checkpoint.

import { existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { encodeNpy } from "../../../shared/data/npy.ts";
import { writeGrid } from "../../../shared/data/picture.ts";
import { chainKind } from "../../../shared/diffusion/processes/index.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { loadModel } from "../../../shared/interop/load-model.ts";
import { givesImages } from "../../../shared/models/index.ts";
import { createGenerator, gridLabels } from "../../../shared/pipeline/generate.ts";
import { shownClasses } from "../../../shared/pipeline/tiles.ts";
import { fitsModel, SAMPLER_NAMES } from "../../../shared/samplers/index.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { CLASSIFIER_OPTION, openGuide, scaleOf } from "../guide.ts";
import { classOf, decimal, oneOf, wholeNumber } from "../options.ts";

interface SampleCommandOptions {
  readonly count?: string;
  readonly class?: string;
  readonly sampler?: string;
  readonly steps?: string;
  readonly guidance?: string;
  readonly classifier?: string;
  readonly classifierScale?: string;
  readonly eta?: string;
  readonly seed: string;
  readonly weights?: string;
  readonly backend?: string;
  readonly output: string;
}

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 8;

export function sampleCommand(): Command {
  return new Command("sample")
    .description("sample images from a run, a checkpoint store, one checkpoint or an exported folder")
    .argument("<checkpoint>", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option("--count <n>", "images (default: the job's sampling.count)")
    .option("--class <k>", "one class, by number or name (default: all in turn)")
    .option("--sampler <name>", `${SAMPLER_NAMES.join(" | ")} (default: the job's)`)
    .option("--steps <n>", "network evaluations an image (default: the job's)")
    .option("--guidance <g>", "classifier-free guidance scale (default: the job's)")
    .option(...CLASSIFIER_OPTION)
    .option("--classifier-scale <s>", "of its gradient; 0 for none (default: the job's, or 1)")
    .option("--eta <x>", "noise of the samplers that add some, 0 to 1 (default: the job's, or the sampler's own)")
    .option("--seed <s>", "seed of the noise", "0")
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .requiredOption("-o, --output <file>", "FILE.png for a grid, FILE.npy for uint8 [n, height, width, channels]")
    .addHelpText(
      "after",
      `
Examples:
  plume sample runs/fashion --class Sneaker --count 16 --guidance 2 -o sneakers.png
  plume sample runs/fashion --classifier runs/classifier --classifier-scale 4 -o guided.png
  plume sample runs/consistency --steps 1 -o one-step.png`,
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
    steps: options.steps === undefined ? undefined : wholeNumber("--steps", options.steps, 1),
    guidance: options.guidance === undefined ? undefined : decimal("--guidance", options.guidance, 0),
    eta: options.eta === undefined ? undefined : decimal("--eta", options.eta, 0),
    sampler: options.sampler === undefined ? undefined : oneOf("--sampler", options.sampler, SAMPLER_NAMES),
    seed: wholeNumber("--seed", options.seed),
  };
  if (given.eta !== undefined && given.eta > 1)
    throw new PlumeError("INVALID_ARGUMENT", `--eta ${given.eta} is above 1`, {
      remedy: "0 is deterministic, 1 adds as much noise as ancestral sampling",
    });
  const { job, step, weights, imageSet, network, params, backend } = await loadModel(
    checkpoint,
    options.weights,
    (trained) => openBackendFor(options.backend, trained),
  );
  const { program } = backend;
  if (!givesImages(job.spec.model.type))
    throw new PlumeError("INVALID_ARGUMENT", `${checkpoint} is a ${job.spec.model.type}: it draws nothing`, {
      remedy: `plume eval ${checkpoint} tells its accuracy; plume sample RUN --classifier ${checkpoint} has it guide another model`,
    });
  const { sampling, model, diffusion } = job.spec;
  const count = given.count ?? Math.max(1, sampling.count);
  const steps = given.steps ?? sampling.steps;
  const sampler = given.sampler ?? sampling.sampler;
  if (!fitsModel(sampler, diffusion))
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--sampler ${sampler} does not fit the model's process ${diffusion.process}, of which it predicts ${diffusion.predict}`,
      {
        remedy: `use one of ${SAMPLER_NAMES.filter((name) => fitsModel(name, diffusion)).join(", ")}`,
      },
    );
  if (diffusion.process === "ddpm" && steps > diffusion.timesteps)
    throw new PlumeError("INVALID_ARGUMENT", `--steps ${steps} is above the model's ${diffusion.timesteps} timesteps`, {
      remedy: `use at most --steps ${diffusion.timesteps}`,
    });
  const chain = chainKind(diffusion.process) !== undefined;
  if (chain && steps !== diffusion.timesteps)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--steps ${steps}: the model's process ${diffusion.process} takes all of its ${diffusion.timesteps} steps`,
      { remedy: "leave --steps out" },
    );
  const guidance = given.guidance ?? sampling.guidance;
  if (chain && guidance !== 1)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--guidance ${guidance} mixes two predictions of x_0, which the model's process ${diffusion.process} does not make`,
      { remedy: "use --guidance 1" },
    );
  if (model.classes === 0 && guidance !== 1)
    throw new PlumeError("INVALID_ARGUMENT", `--guidance ${guidance} needs a model with classes`, {
      remedy: "use --guidance 1",
    });
  const classifier = await openGuide(options.classifier, job.spec, imageSet);
  const classifierScale =
    options.classifierScale === undefined
      ? sampling.classifierScale
      : scaleOf("--classifier-scale", options.classifierScale, classifier);
  const classes = shownClasses(job.spec, classifier);
  const only = options.class === undefined ? null : classOf(options.class, imageSet.classes, classes);

  const { height, width, channels } = imageSet;
  const image = { height, width, channels };
  const generate = createGenerator({ spec: job.spec, network, params, image, program, classifier });
  const pixels = new Uint8Array(count * height * width * channels);
  for (let from = 0; from < count; from += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, count - from) }, (_, k) => from + k);
    const labels = only === null ? gridLabels(indices, classes) : indices.map(() => only);
    const batch = await generate({
      indices,
      labels,
      seed: given.seed,
      sampler,
      steps,
      eta: given.eta ?? sampling.eta,
      guidance,
      classifierScale,
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
    const columns = only === null && classes > 0 ? classes : Math.ceil(Math.sqrt(count));
    const labels =
      only === null && classes > 0 && imageSet.classes.length > 0 ? imageSet.classes.slice(0, columns) : null;
    await writeGrid(output, pixels, { count, height, width, channels, columns, ...(labels ? { labels } : {}) });
  }
  io.print(`${count} images of step ${step} (${weights} weights) in ${output}`);
  io.result({
    ...{ file: output, count, step, weights, seed: given.seed, steps, guidance },
    ...(classifier && { classifierScale: classifierScale ?? 1 }),
  });
  return undefined;
}
