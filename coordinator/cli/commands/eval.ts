// plume eval: how good images are, a checkpoint's or anybody's, beside real ones and bad ones that make the numbers readable.

import { Command } from "commander";
import { BACKEND_CHOICES } from "../../../shared/backends/backend.ts";
import { openBackend } from "../../../shared/backends/index.ts";
import type { Job } from "../../../shared/config/schema.ts";
import { CHAIN_NAMES } from "../../../shared/diffusion/processes/index.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { JUDGE_SIDE, JUDGES } from "../../../shared/eval/judge-network.ts";
import { ALL_METRIC_NAMES, type LabelledImages, METRIC_NAMES, METRICS } from "../../../shared/eval/score.ts";
import { checkWeights, placeModel, type ReadModel, readModel } from "../../../shared/interop/load-model.ts";
import { givesImages } from "../../../shared/models/index.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, chooseBackendFor, openBackendFor } from "../backend.ts";
import { parseDrawers, WORKERS_OPTION } from "../drawing/workers.ts";
import { CLASSIFIER_OPTION, readGuide } from "../guide.ts";
import { oneOf, wholeNumber } from "../options.ts";
import { SAMPLING_OPTIONS } from "../sampling.ts";
import { evaluateBound } from "./eval/bound.ts";
import { evaluateCaptions } from "./eval/captions.ts";
import { evaluateCoverage, isGrid } from "./eval/coverage.ts";
import { drawnFrom, generatedRows } from "./eval/drawn.ts";
import { readImages } from "./eval/images.ts";
import { evaluateClassifier } from "./eval/noised.ts";
import { MOST_IMAGES, openReal, openScorer } from "./eval/real.ts";
import { LEARNED_LEGEND, LEGEND, type Row, rowJson, rowTable } from "./eval/rows.ts";
import { checkImages, readStages, STAGES } from "./eval/stages.ts";
import { listOf, tell, type WayOptions, waysOf } from "./eval/ways.ts";

interface EvalOptions extends WayOptions {
  readonly bound?: true;
  readonly trainJudges?: true;
  readonly against?: string;
  readonly labels?: string;
  readonly count?: string;
  readonly seeds?: string;
  readonly stages?: string;
  readonly classifier?: string;
  readonly weights?: string;
  readonly workers?: string;
  readonly backend?: string;
}

/** What of a model's images may be said. */
const OF_IMAGES = [
  ...["seeds", "stages", "sampler", "steps", "guidance", "eta", "grid", "threshold", "percentile"],
  ...["classifier", "classifierScale", "workers"],
] as readonly (keyof EvalOptions)[];
/** And of any set of images. */
const OF_SETS = ["against", "trainJudges"] as const;

/** As it was typed. */
function toldOf(option: keyof EvalOptions, { [option]: value }: EvalOptions): string {
  const flag = `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return value === true ? flag : `${flag} ${value}`;
}

const COUNT = 500;
const FEWEST = 100;

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
  plume eval --against pictures/
  plume sample runs/fashion --count 500 -o images.npy && plume eval --against images.npy
  plume eval runs/fashion --against theirs.npy --labels classes.npy --json
  plume eval runs/fashion --stages final --classifier runs/classifier --classifier-scale 0,1,2,4,8
  plume eval runs/classifier
  plume eval runs/heartbeat --bound
  plume eval runs/gan-grid --stages final
  plume eval runs/text --seeds 0 --guidance 1,3

Where --sampler, --steps, --guidance, --grid, --threshold, --percentile or --classifier-scale list several values, separated by
commas, every combination is drawn and measured. With growing classifier scale images are more often of their class, and less varied; the classifier is
neither of the judges.
A classifier (model.type: classifier) is measured on test images of its own data, noised as in training: its accuracy and
its cross-entropy at ten levels of noise. --count is how many images, 1000 of them by default.
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
  if (model && !givesImages(model.job.spec.model.type)) {
    refuseForClassifier(options, checkpoint!);
    return evaluateClassifier(io, checkpoint!, await placeModel(model, open), {
      count: options.count === undefined ? undefined : asked.count,
    });
  }
  if (model?.job.spec.model.text) refuseForCaptions(options, checkpoint!);
  if (model && isGrid(model)) refuseForGrid(options, checkpoint!);
  const classifier = model ? await readGuide(options.classifier, model.job.spec, model.imageSet) : undefined;
  const ways = model ? asked.waysOf(model.job.spec, classifier) : [];
  const own = model && against === undefined ? ownMeasure(model) : undefined;
  if (model && own) {
    const count = options.count === undefined ? undefined : asked.count;
    const backend = await chooseBackendFor(options.backend, model.job);
    return own(io, checkpoint!, model, { ...asked, count, ways, backend });
  }
  if (model) checkImages(checkpoint!, model, classifier);
  const real = await openReal(io.signal);
  const given =
    against === undefined
      ? null
      : atMost(
          io,
          await readImages(against, { labels: options.labels, classes: real.test.classes, signal: io.signal }),
        );
  const stages = model ? await readStages(checkpoint!, model, asked.stages) : [];
  const from = model && (await drawnFrom(model.job.spec, { ...asked, test: real.test }));
  const backend = model
    ? await chooseBackendFor(options.backend, model.job)
    : oneOf("--backend", options.backend ?? "auto", BACKEND_CHOICES);
  const opened = await openBackend(backend);
  const count = model ? asked.count : sizeOf(given!);
  const learns = options.trainJudges === true;
  const metrics = learns ? ALL_METRIC_NAMES : METRIC_NAMES;
  using scorer = await openScorer(real, { count, learns }, io.signal);
  const rows: Row[] = [];
  if (given) rows.push({ kind: "given", name: against!, scores: [await scorer.score(given)] });
  if (model && from) {
    const { height, width, channels } = model.imageSet;
    const drawn = { spec: model.job.spec, image: { height, width, channels } };
    const drawing = { backend: opened.name, model: drawn, classifier, stages };
    rows.push(...(await generatedRows(io, scorer.score, drawing, { ...asked, ways, from })));
  }
  for (const { kind, name, images } of scorer.rows) rows.push({ kind, name, scores: [await scorer.score(images)] });
  if (model) {
    const { job, weights } = model;
    const how = ways.length === 1 ? `, ${tell(ways[0]!)}` : "";
    io.print(`${job.metadata.name}, ${weights} weights: ${count} images a seed, seeds ${asked.seeds.join(", ")}${how}`);
  }
  if (given) io.print(`${against}: ${sizeOf(given)} images${given.labels ? "" : ", without labels"}`);
  io.print(rowTable(METRICS, rows, metrics));
  io.print(LEGEND);
  if (learns) io.print(LEARNED_LEGEND);
  io.result({
    count,
    ...(model ? { checkpoint, step: model.step, weights: model.weights, seeds: asked.seeds } : {}),
    ...(given ? { against, images: sizeOf(given) } : {}),
    judge: { features: JUDGES.features.sha256, labels: JUDGES.labels.sha256 },
    reference: { set: "fashion-mnist", split: "test", images: MOST_IMAGES },
    rows: rows.map((row) => rowJson(METRICS, row, metrics)),
  });
  return undefined;
}

/** Of models of other images than the judges know. */
function ownMeasure(model: ReadModel) {
  if (model.job.spec.model.text) return evaluateCaptions;
  return isGrid(model) ? evaluateCoverage : undefined;
}

/** It draws no images that these could be about. */
function refuseForClassifier(options: EvalOptions, checkpoint: string): void {
  for (const flag of [...OF_IMAGES, ...OF_SETS])
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${toldOf(flag, options)}: ${checkpoint} is a classifier`, {
        remedy: `it draws no images, and plume eval ${checkpoint} tells its accuracy`,
      });
}

/** It is measured by its captions alone. */
function refuseForCaptions(options: EvalOptions, checkpoint: string): void {
  for (const flag of [...OF_SETS, "stages", "classifier", "classifierScale"] as const)
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${toldOf(flag, options)}: ${checkpoint} reads captions`, {
        remedy: `leave it out: plume eval ${checkpoint} tells whether its images are what their captions say`,
      });
}

/** It is measured by the modes that it covers. */
function refuseForGrid(options: EvalOptions, checkpoint: string): void {
  for (const flag of OF_SETS)
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${toldOf(flag, options)}: ${checkpoint} draws points of a grid`, {
        remedy: `leave it out: plume eval ${checkpoint} tells how many of the grid's modes they cover`,
      });
}

const sizeOf = ({ pixels }: LabelledImages): number => pixels.length / JUDGE_SIDE ** 2;

/** As many as there are real ones to compare with. */
function atMost(io: CommandIo, images: LabelledImages): LabelledImages {
  const n = sizeOf(images);
  if (n < FEWEST) io.note(`  ${n} images are few: compare them with the rows of as many real ones alone`);
  if (n <= MOST_IMAGES) return images;
  io.note(`  the first ${MOST_IMAGES} of ${n} images are scored`);
  return {
    pixels: images.pixels.subarray(0, MOST_IMAGES * JUDGE_SIDE ** 2),
    labels: images.labels?.subarray(0, MOST_IMAGES) ?? null,
  };
}
