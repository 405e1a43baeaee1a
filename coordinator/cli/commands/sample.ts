// plume sample: pictures from a checkpoint; from an upsampler, of pictures that are there or that a base model draws first.

import { Command } from "commander";
import { counted } from "../../../shared/counted.ts";
import { readModel } from "../../../shared/interop/load-model.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, chooseBackendFor } from "../backend.ts";
import { parseDrawers, WORKERS_OPTION } from "../drawing/workers.ts";
import { CLASSIFIER_OPTION } from "../guide.ts";
import { collect } from "../options.ts";
import { checkOutput, OUTPUT_OPTION } from "../output.ts";
import { SAMPLING_OPTIONS, SEED_OPTION } from "../sampling.ts";
import { type ImageWords, parseAsked, wayFor } from "./sample/asked.ts";
import { readBeside } from "./sample/beside.ts";
import { drawImages } from "./sample/draw.ts";
import { type Drawn, drawPlanned, planImages, writeImages } from "./sample/images.ts";
import { BASE_OPTION, LOW_RES_OPTIONS } from "./sample/low-res.ts";
import { drawnBy } from "./sample/pipeline.ts";
import { PRIOR_OPTION } from "./sample/prior.ts";
import { openReranking, parseRerank, RERANK_OPTIONS, type RerankOptions } from "./sample/rerank.ts";

interface SampleCommandOptions extends ImageWords, RerankOptions {
  readonly pipeline?: string;
  readonly classifier?: string;
  readonly workers?: string;
  readonly backend?: string;
  readonly output: string;
}

export function sampleCommand(): Command {
  const command = new Command("sample")
    .description("sample images from a run, a checkpoint store, one checkpoint or an exported folder")
    .argument("[checkpoint]", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option("--pipeline <dir>", "instead of a checkpoint: a pipeline's folder, through all of its stages that draw")
    .option("--count <n>", "images (default: the job's sampling.count)")
    .option("--class <k>", "one class, by number or name (default: all in turn)")
    .option(
      "--prompt <text>",
      "of a model that reads captions: what the images show (default: the job's sampling.prompts, or fixed ones, in turn)",
    )
    .option(...BASE_OPTION, collect);
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
  plume sample runs/upsampler --base runs/adm-14 --count 16 -o cascade.png
  plume sample runs/large --base runs/text --prompt "small white cross" -o large.png
  plume sample runs/dalle --prompt "small blue circle left of large red square" -o tokens.png
  plume sample runs/decoder --prior runs/prior --prompt "large red square top left" -o decoded.png
  plume sample runs/decoder --prior runs/ar-prior --prompt "small white cross" -o by-codes.png
  plume sample runs/decoder --prompt "large blue circle" --rerank runs/clip --candidates 8 -o chosen.png
  plume sample --pipeline runs/text-to-image --prompt "small white cross" -o both-stages.png
  plume sample runs/upsampler --from-data test --indices 0,1,2 -o beside-the-originals.png

A model of captions (a job with model.text) knows the words of its data alone; articles and capitals are nothing to it. One with a
frozen text encoder (models.text) reads any words, up to models.text.length tokens; where that is a clip, those of scenes.

An upsampler (a job with model.lowRes) draws from small images: those of a base model (--base), files (--images), or images
of its own data, shrunk (--from-data, --indices). What it draws of one depends on that image, its place, the seed and the
options alone. To draw from a base by another sampler than its job's, write its images first: plume sample BASE -o base.npy.

A dalle draws the codes of a caption one by one, and its models.dvae makes an image of them.
A decoder (a unet whose job has model.embedding) draws of CLIP's embedding of an image, which a prior or an ar-prior draws of the caption:
twice, and the one that is nearer to the caption is kept. With --base DECODER the prior is that of the base.
With --rerank CLIP several images of each caption are drawn, and the one whose embedding is nearest to the caption's is kept.

Of a pipeline the last stage that gives images is drawn, from the bases that its file names.`,
    )
    .action(action(sample));
}

async function sample(io: CommandIo, given: SampleCommandOptions, named?: string): Promise<undefined> {
  const { checkpoint, base } = drawnBy(named, given);
  const options = { ...given, ...(base && { base }) };
  const { output } = options;
  checkOutput(output);
  const asked = parseAsked(options);
  const rerank = parseRerank(options);
  const workers = parseDrawers(options.workers);
  const model = await readModel(checkpoint, asked.weights);
  const { job, step, weights } = model;
  const way = wayFor(checkpoint, job.spec, asked);
  const prior = options.base === undefined ? options.prior : undefined;
  const beside = await readBeside(checkpoint, model, { classifier: options.classifier, prior });
  const plan = await planImages({ checkpoint, model, beside }, asked, way);
  const backend = await chooseBackendFor(options.backend, job);
  const reranking = await openReranking(checkpoint, model, rerank, backend);
  const drawn = await drawPlanned(plan, {
    ...io,
    read: readModel,
    beside: readBeside,
    async draw(of, wanted) {
      const all = await drawImages(io, of, reranking?.widened(wanted) ?? wanted, { backend, workers });
      return reranking ? { ...all, pixels: await reranking.keep(all.pixels, wanted) } : all;
    },
  });
  await writeImages(output, drawn);
  io.print(`${counted(drawn.count, "image")} of step ${step} (${weights} weights) in ${output}`);
  io.result({ file: output, step, weights, backend, ...toldOf(drawn), ...reranking?.told });
  return undefined;
}

/** For `--json`. */
function toldOf({ plan, count, workers, small }: Drawn) {
  const { seed, steps, guidance, grid, threshold, percentile } = plan.sampling;
  const { prompt } = plan.asked;
  return {
    ...{ count, seed, steps, guidance, grid, threshold, percentile, workers },
    ...(plan.subject.beside.classifier && { classifierScale: plan.classifierScale ?? 1 }),
    ...(prompt !== undefined && { prompt }),
    ...(small && { ...small.told, lowResNoise: plan.noise }),
  };
}
