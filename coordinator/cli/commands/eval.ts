// plume eval: how good images are, a checkpoint's or anybody's, beside real ones and bad ones that make the numbers readable.

import { Command } from "commander";
import type { Job } from "../../../shared/config/schema.ts";
import { CHAIN_NAMES } from "../../../shared/diffusion/processes/index.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { JUDGE_SIDE } from "../../../shared/eval/judge-network.ts";
import { checkWeights, placeModel, type ReadModel, readModel } from "../../../shared/interop/load-model.ts";
import { NETWORKS } from "../../../shared/models/index.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, chooseBackendFor, openBackendFor } from "../backend.ts";
import { parseDrawers, WORKERS_OPTION } from "../drawing/workers.ts";
import { CLASSIFIER_OPTION, readGuide } from "../guide.ts";
import { oneOf, wholeNumber } from "../options.ts";
import { checkNoUpsampler, SAMPLING_OPTIONS } from "../sampling.ts";
import { evaluateBound } from "./eval/bound.ts";
import { evaluateCaptions } from "./eval/captions.ts";
import { evaluateCoverage, isGrid } from "./eval/coverage.ts";
import { evaluateJudged, FEWEST } from "./eval/judged.ts";
import { evaluateClassifier } from "./eval/noised.ts";
import { evaluatePrior } from "./eval/prior.ts";
import { MOST_IMAGES, SPLITS } from "./eval/real.ts";
import { evaluateClip } from "./eval/retrieval.ts";
import { STAGES } from "./eval/stages.ts";
import { listOf, type WayOptions, waysOf } from "./eval/ways.ts";
import { PRIOR_OPTION, readDecoding } from "./sample/prior.ts";

interface EvalOptions extends WayOptions {
  readonly bound?: true;
  readonly trainJudges?: true;
  readonly split?: string;
  readonly against?: string;
  readonly labels?: string;
  readonly count?: string;
  readonly seeds?: string;
  readonly stages?: string;
  readonly prior?: string;
  readonly classifier?: string;
  readonly weights?: string;
  readonly workers?: string;
  readonly backend?: string;
}

/** What of a model's images may be said. */
const OF_IMAGES = [
  ...["seeds", "stages", "sampler", "steps", "guidance", "eta", "grid", "threshold", "percentile"],
  ...["prior", "classifier", "classifierScale", "workers"],
] as readonly (keyof EvalOptions)[];
/** And of any set of images. */
const OF_SETS = ["against", "trainJudges", "split"] as const;

/** As it was typed. */
function toldOf(option: keyof EvalOptions, { [option]: value }: EvalOptions): string {
  const flag = `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return value === true ? flag : `${flag} ${value}`;
}

const COUNT = 500;

export function evalCommand(): Command {
  const command = new Command("eval")
    .description(
      "measure images, a checkpoint's or any others, against real ones, with floors and bad anchors beside them; or a classifier's accuracy by noise level",
    )
    .argument("[checkpoint]", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option(
      "--against <path>",
      `images to score, whoever made them: a folder of pictures (a subfolder a class), or a .npy file of uint8 [n, ${JUDGE_SIDE}, ${JUDGE_SIDE}, 1]`,
    )
    .option(
      "--bound",
      `instead, what a model of ${CHAIN_NAMES.join(" or ")} needs for held-out images: the bound on its log likelihood, in bits`,
    )
    .option("--labels <file>", "their classes: a .npy file of integers [n] (default: the subfolders)")
    .option("--count <n>", `images to generate with each seed, ${FEWEST} to ${MOST_IMAGES} (default: ${COUNT})`)
    .option("--seeds <list>", "seeds of the noise (default: 0,1,2)")
    .option(
      "--stages <list>",
      `of ${STAGES.join(",")}: fresh weights, the oldest checkpoint that is kept, the one that is named (default: all)`,
    );
  for (const option of SAMPLING_OPTIONS) command.option(...option);
  return command
    .option(
      "--train-judges",
      "train two classifiers on each set, too: what it teaches of real images, and whether it can be told from them",
    )
    .option(
      "--split <name>",
      "which of the test images the rest are compared with: test | validation, to choose by (default: test)",
    )
    .option(...PRIOR_OPTION)
    .option(...CLASSIFIER_OPTION)
    .option("--classifier-scale <s>", "of its gradient; 0 for none (default: the job's, or 1)")
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...WORKERS_OPTION)
    .option(...BACKEND_OPTION)
    .addHelpText(
      "after",
      `
Examples:
  plume eval runs/fashion
  plume eval runs/fashion --stages final --seeds 0 --count 100 --workers 8
  plume eval runs/fashion --stages final --seeds 0 --sampler heun,dpmpp-2m,ddim --steps 5,10,20
  plume eval runs/fashion --stages final --guidance 1,1.5,2,4
  plume eval runs/edm --stages final --sampler dpmpp-2m --steps 5,10 --grid karras,exponential,time,time-quadratic
  plume eval runs/fashion --stages final --guidance 4,8 --threshold static,dynamic
  plume eval runs/fashion --train-judges
  plume eval runs/fashion --stages final --guidance 1,1.5,2 --split validation
  plume eval --against pictures/
  plume sample runs/fashion --count 500 -o images.npy && plume eval --against images.npy
  plume eval runs/fashion --against theirs.npy --labels classes.npy --json
  plume eval runs/fashion --stages final --classifier runs/classifier --classifier-scale 0,1,2,4,8
  plume eval runs/classifier
  plume eval runs/heartbeat --bound
  plume eval runs/gan-grid --stages final
  plume eval runs/text --seeds 0 --guidance 1,3
  plume eval runs/clip
  plume eval runs/prior
  plume eval runs/ar-prior
  plume eval runs/decoder --seeds 0 --prior runs/prior

Where --sampler, --steps, --guidance, --grid, --threshold, --percentile or --classifier-scale list several values, separated by
commas, every combination is drawn and measured. With growing classifier scale images are more often of their class, and less varied; the classifier is
neither of the judges.
A classifier (model.type: classifier) is measured on test images of its own data, noised as in training: its accuracy and
its cross-entropy at ten levels of noise. --count is how many images, 1000 of them by default.
A clip (model.type: clip) is asked which of 200 captions is that of a picture, and which picture that of a caption; a prior or
ar-prior, how near what it draws of a caption is to the embedding of its picture. A decoder (model.embedding) draws of what a prior draws of the
captions, and beside it of the pictures' own embeddings.
A model of captions (model.text) draws one image of each caption that it was not trained on, 200 of them by default, and of captions
with pairs of colour and shape that it has never seen; told is how often the image is what its caption says.
An upsampler (model.lowRes) draws from test images, shrunk. What it draws of a base model's images is measured as any others:
plume sample UPSAMPLER --base BASE --count 500 -o images.npy && plume eval --against images.npy

A model of the source gaussian-grid is measured by how many of the 25 modes its points cover: 2500 points by default.

The judges are two small classifiers of Fashion-MNIST, trained by plume on the training images alone and frozen. Their
numbers compare with each other only, at the same number of images, and are no FID. Read them together: class means score
well on accuracy, copies of the training images on everything but "copies", noise on nothing.`,
    )
    .action(action(evaluate));
}

/** What of a checkpoint is asked for, checked before anything is opened. */
function parse(options: EvalOptions, checkpoint: string | undefined) {
  const { against, labels } = options;
  if (checkpoint === undefined && against === undefined) throw nothingToMeasure();
  if (labels !== undefined && against === undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--labels ${labels} is for the images of --against`, {
      remedy: "add --against FOLDER_OR_NPY, or leave --labels out",
    });
  if (options.bound) checkBound(options, checkpoint);
  for (const flag of [...OF_IMAGES, "count", "weights"] as (keyof EvalOptions)[])
    if (checkpoint === undefined && options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${toldOf(flag, options)} is for a checkpoint's images`, {
        remedy: "name a checkpoint, or leave it out",
      });
  const count = wholeNumber("--count", options.count ?? String(COUNT), FEWEST);
  if (count > MOST_IMAGES)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--count ${count} is above ${MOST_IMAGES}, the test images there are to compare with`,
      {
        remedy: `use at most --count ${MOST_IMAGES}`,
      },
    );
  return {
    count,
    split: oneOf("--split", options.split ?? "test", SPLITS),
    seeds: listOf(options.seeds ?? "0,1,2").map((seed) => wholeNumber("--seeds", seed)),
    stages: listOf(options.stages ?? STAGES.join(",")).map((stage) => oneOf("--stages", stage, STAGES)),
    waysOf: waysOf(options),
    weights: options.weights === undefined ? undefined : checkWeights(options.weights),
    workers: parseDrawers(options.workers),
  };
}

const nothingToMeasure = (): PlumeError =>
  new PlumeError("INVALID_ARGUMENT", "plume eval has nothing to measure", {
    remedy: "name a checkpoint (plume eval runs/fashion), or images (plume eval --against FOLDER_OR_NPY)",
  });

/** What draws images has no use where none are drawn. */
function checkBound(options: EvalOptions, checkpoint: string | undefined): void {
  if (checkpoint === undefined) throw nothingToMeasure();
  for (const flag of [...OF_IMAGES.filter((each) => each !== "seeds"), ...OF_SETS])
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${toldOf(flag, options)} is for images, --bound draws none`, {
        remedy: "leave one of them out",
      });
}

async function evaluate(io: CommandIo, options: EvalOptions, checkpoint?: string): Promise<undefined> {
  const asked = parse(options, checkpoint);
  const open = (job: Job) => openBackendFor(options.backend, job);
  if (options.bound) {
    const seeds = options.seeds === undefined ? [0] : asked.seeds;
    await evaluateBound(io, checkpoint!, { ...asked, seeds }, open);
    return undefined;
  }
  const { against } = options;
  const model = checkpoint === undefined ? null : await readModel(checkpoint, asked.weights);
  const silent = model && WITHOUT_PICTURES[NETWORKS[model.job.spec.model.type].gives as keyof typeof WITHOUT_PICTURES];
  if (silent) {
    refuseForSilent(options, checkpoint!, model.job.spec.model.type);
    return silent(io, checkpoint!, await placeModel(model, open), {
      count: options.count === undefined ? undefined : asked.count,
    });
  }
  const own = model ? ownMeasure(model) : undefined;
  if (model && own) refuseFor(own, options, checkpoint!, model);
  const classifier = model ? await readGuide(options.classifier, model.job.spec, model.imageSet) : undefined;
  const decoding = model ? await readDecoding(checkpoint!, model.job.spec, model.imageSet, options.prior) : {};
  const ways = model ? asked.waysOf(model.job.spec, classifier) : [];
  if (model && own) {
    const count = options.count === undefined ? undefined : asked.count;
    const backend = await chooseBackendFor(options.backend, model.job);
    return own.evaluate(io, checkpoint!, model, { ...asked, count, ways, backend, classifier, decoding });
  }
  const drawn = model && { ...asked, checkpoint: checkpoint!, model, classifier, ways };
  const given = against === undefined ? null : { against, labels: options.labels };
  await evaluateJudged(io, drawn, given, {
    backend: options.backend,
    learns: options.trainJudges === true,
    split: asked.split,
  });
  return undefined;
}

/** Of models that draw no pictures, by what they give. */
const WITHOUT_PICTURES = {
  classes: evaluateClassifier,
  features: evaluateClip,
  embedding: evaluatePrior,
  "embedding-codes": evaluatePrior,
} as const;

/** Of models of other images than the judges know: by what, what else may not be said of them, and why not. */
const OWN = {
  captions: {
    evaluate: evaluateCaptions,
    without: ["against", "trainJudges", "split", "stages", "classifier", "classifierScale"],
    because: "reads captions",
    tells: "whether its images are what their captions say",
  },
  grid: {
    evaluate: evaluateCoverage,
    without: ["against", "trainJudges", "split"],
    because: "draws points of the plane, which the judges do not know",
    tells: "how many modes of the grid its points cover",
  },
} as const;
type Own = (typeof OWN)[keyof typeof OWN];

function ownMeasure(model: ReadModel): Own | undefined {
  const { text, embedding } = model.job.spec.model;
  if (text || embedding !== undefined) return OWN.captions;
  return isGrid(model) ? OWN.grid : undefined;
}

function refuseFor({ without, because, tells }: Own, options: EvalOptions, checkpoint: string, { job }: ReadModel) {
  for (const flag of without)
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${toldOf(flag, options)}: ${checkpoint} ${because}`, {
        remedy: `leave it out: plume eval ${checkpoint} tells ${tells}`,
      });
  checkNoUpsampler(checkpoint, job.spec);
}

/** It draws no images that these could be about. */
function refuseForSilent(options: EvalOptions, checkpoint: string, type: string): void {
  for (const flag of [...OF_IMAGES, ...OF_SETS])
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${toldOf(flag, options)}: ${checkpoint} is a ${type}`, {
        remedy: `leave it out: it draws no images, and plume eval ${checkpoint} tells how good it is`,
      });
}
