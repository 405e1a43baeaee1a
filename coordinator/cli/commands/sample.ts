// plume sample: pictures from a checkpoint; from an upsampler, of pictures that are there or that a base model draws first.

import { Command } from "commander";
import type { JobSpec } from "../../../shared/config/schema.ts";
import { checkWeights, type ReadModel, readModel } from "../../../shared/interop/load-model.ts";
import { gridLabels } from "../../../shared/pipeline/generate.ts";
import { shownClasses } from "../../../shared/pipeline/tiles.ts";
import { PROMPTS } from "../../../shared/scenes/prompts.ts";
import { tokensOf } from "../../../shared/scenes/tokens.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, chooseBackendFor } from "../backend.ts";
import { parseDrawers, WORKERS_OPTION } from "../drawing/workers.ts";
import { CLASSIFIER_OPTION, readGuide, scaleOf } from "../guide.ts";
import { classOf, wholeNumber } from "../options.ts";
import { checkOutput, OUTPUT_OPTION } from "../output.ts";
import {
  checkDraws,
  checkSilence,
  noLabel,
  parseSampling,
  SAMPLING_OPTIONS,
  type SamplingOptions,
  SEED_OPTION,
  samplingFor,
} from "../sampling.ts";
import { drawImages, type Processes } from "./sample/draw.ts";
import {
  checkLowRes,
  LOW_RES_OPTIONS,
  type LowResOptions,
  noiseOf,
  openSmallImages,
  parseLowRes,
  type SmallImages,
} from "./sample/low-res.ts";
import { checkDecoding, PRIOR_OPTION, readDecoding } from "./sample/prior.ts";
import { captionsFor, checkPrompt } from "./sample/prompt.ts";
import { openReranking, parseRerank, RERANK_OPTIONS, type RerankOptions } from "./sample/rerank.ts";
import { writeDrawn, writeEnlarged } from "./sample/show.ts";

interface SampleCommandOptions extends SamplingOptions, LowResOptions, RerankOptions {
  readonly count?: string;
  readonly class?: string;
  readonly prompt?: string;
  readonly prior?: string;
  readonly classifier?: string;
  readonly classifierScale?: string;
  readonly weights?: string;
  readonly workers?: string;
  readonly backend?: string;
  readonly output: string;
}

export function sampleCommand(): Command {
  const command = new Command("sample")
    .description("sample images from a run, a checkpoint store, one checkpoint or an exported folder")
    .argument("<checkpoint>", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option("--count <n>", "images (default: the job's sampling.count)")
    .option("--class <k>", "one class, by number or name (default: all in turn)")
    .option("--prompt <text>", "of a model that reads captions: what the images show (default: fixed prompts in turn)");
  for (const option of [...SAMPLING_OPTIONS, ...LOW_RES_OPTIONS]) command.option(...option);
  for (const [flags, about] of RERANK_OPTIONS) command.option(flags, about);
  return command
    .option(...PRIOR_OPTION)
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
  plume sample runs/fashion --guidance 8 --threshold dynamic -o guided-far.png
  plume sample runs/edm --sampler dpmpp-2m --steps 10 --grid time-quadratic -o quadratic.png
  plume sample runs/fashion --classifier runs/classifier --classifier-scale 4 -o guided.png
  plume sample runs/consistency --steps 1 -o one-step.png
  plume sample runs/text --prompt "large red square top left" --guidance 3 -o squares.png
  plume sample runs/text --prompt "a small blue circle left of a large red square" --count 16 -o pairs.png
  plume sample runs/decoder --prior runs/prior --prompt "large red square top left" -o decoded.png
  plume sample runs/decoder --prompt "large blue circle" --rerank runs/clip --candidates 8 -o chosen.png
  plume sample runs/upsampler --base runs/adm-14 --count 16 -o cascade.png
  plume sample runs/large --base runs/text --prompt "small white cross" -o large.png
  plume sample runs/upsampler --from-data test --indices 0,1,2 -o beside-the-originals.png

A model of captions (a job with model.text) knows the words of its data alone; articles and capitals are nothing to it.

A decoder (a unet whose job has model.embedding) draws of CLIP's embedding of an image, which a prior draws of the caption: twice, and the
one that is nearer to the caption is kept. With --base DECODER the prior is that of the base.
With --rerank CLIP several images of each caption are drawn, and the one whose embedding is nearest to the caption's is kept.

An upsampler (a job with model.lowRes) draws from small images: those of a base model (--base), files (--images), or images
of its own data, shrunk (--from-data, --indices). What it draws of one depends on that image, its place, the seed and the
options alone. To draw from a base by another sampler than its job's, write its images first: plume sample BASE -o base.npy.`,
    )
    .action(action(sample));
}

async function sample(io: CommandIo, options: SampleCommandOptions, checkpoint: string): Promise<undefined> {
  const { output } = options;
  checkOutput(output);
  const asked = parse(options);
  const model = await readModel(checkpoint, asked.weights);
  const { job, step, weights, imageSet } = model;
  const { spec } = job;
  checkDraws(checkpoint, spec);
  if (options.base === undefined) checkPrompt(checkpoint, [spec], options.prompt);
  checkLowRes(checkpoint, spec, options);
  const sampling = samplingFor(spec, asked.sampling);
  const noise = noiseOf(spec, asked.lowRes);
  const guide = await guideOf(options, spec, imageSet);
  const ownPrior = options.base === undefined ? options.prior : undefined;
  const decoding = await readDecoding(checkpoint, spec, imageSet, ownPrior);
  checkDecoding(checkpoint, spec, decoding);
  const classes = shownClasses(spec, guide.classifier);
  // An upsampler without classes may have a base with some.
  const ofBase = classes === 0 && options.base !== undefined;
  const only = options.class === undefined || ofBase ? null : classOf(options.class, imageSet.classes, classes);
  const backend = await chooseBackendFor(options.backend, job);
  const processes = { backend, workers: asked.workers };

  const small = await smallImages(io, model, asked, processes);
  const { height, width, channels } = imageSet;
  const count = small ? countOf(small, spec, channels) : (asked.count ?? Math.max(1, spec.sampling.count));
  const labelsOf = (indices: readonly number[]) => {
    if (only !== null) return indices.map(() => only);
    if (!small || classes === 0) return gridLabels(indices, classes);
    return indices.map((k) => small.labels?.[k] ?? noLabel(spec, imageSet.classes));
  };
  // Of images that are there nothing is said but by a prompt.
  const silent = small && options.base === undefined && options.prompt === undefined;
  if (silent) checkSilence(checkpoint, spec);
  const captionsOf = silent ? undefined : captionsFor(spec, options.prompt);
  const lowRes = small && { pixels: small.pixels, noise };
  const wanted = { ...sampling, ...guide, ...decoding, count, labelsOf, captionsOf, lowRes };
  const reranking = await openReranking(checkpoint, model, asked.rerank, backend);
  const drawn = await drawImages(io, model, reranking ? reranking.widened(wanted) : wanted, processes);
  const { workers } = drawn;
  const pixels = reranking ? await reranking.keep(drawn.pixels, wanted) : drawn.pixels;

  const image = { height, width, channels };
  if (small) await writeEnlarged(output, pixels, small, image, spec.model.lowRes!.size);
  else if (captionsOf && options.prompt === undefined)
    await writeDrawn(output, pixels, { count, ...imageSet, classes: PROMPTS }, PROMPTS.length);
  else await writeDrawn(output, pixels, { count, ...imageSet }, only === null ? classes : 0);
  io.print(`${count} images of step ${step} (${weights} weights) in ${output}`);
  const { seed, steps, guidance, grid, threshold, percentile } = sampling;
  io.result({
    ...{ file: output, count, step, weights, seed, steps, guidance, grid, threshold, percentile, backend, workers },
    ...(guide.classifier && { classifierScale: guide.classifierScale ?? 1 }),
    ...(options.prompt !== undefined && { prompt: options.prompt }),
    ...reranking?.told,
    ...(small && { ...small.told, lowResNoise: noise }),
  });
  return undefined;
}

/** What can be checked before the model is known. @throws PlumeError INVALID_ARGUMENT. */
function parse(options: SampleCommandOptions) {
  const { count, prompt, workers, weights } = options;
  if (prompt !== undefined) tokensOf([prompt], "--prompt");
  return {
    sampling: parseSampling(options),
    lowRes: parseLowRes(options),
    named: options.class,
    prior: options.prior,
    rerank: parseRerank(options),
    prompt,
    count: count === undefined ? undefined : wholeNumber("--count", count, 1),
    workers: parseDrawers(workers),
    weights: weights === undefined ? undefined : checkWeights(weights),
  };
}

/** The classifier that guides, if any, and how much. */
async function guideOf(
  { classifier: asked, classifierScale: scale }: SampleCommandOptions,
  spec: JobSpec,
  images: ReadModel["imageSet"],
) {
  const classifier = await readGuide(asked, spec, images);
  const own = spec.sampling.classifierScale;
  return { classifier, classifierScale: scale === undefined ? own : scaleOf("--classifier-scale", scale, classifier) };
}

/** Of an upsampler: what it draws from. */
async function smallImages(
  io: CommandIo,
  { job, imageSet }: ReadModel,
  { lowRes, weights, count, named, prior, prompt, sampling }: ReturnType<typeof parse>,
  processes: Processes,
): Promise<SmallImages | undefined> {
  if (!lowRes) return undefined;
  const { height, width, channels } = imageSet;
  const frame = { spec: job.spec, image: { height, width, channels }, size: job.spec.model.lowRes!.size };
  return openSmallImages(io, { lowRes, weights, count, named, prior, prompt, seed: sampling.seed }, frame, processes);
}

const countOf = ({ pixels }: SmallImages, { model }: JobSpec, channels: number): number =>
  pixels.length / (model.lowRes!.size ** 2 * channels);
