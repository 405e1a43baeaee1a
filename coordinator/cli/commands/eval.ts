// plume eval: how good images are, a checkpoint's or anybody's, beside real ones and bad ones that make the numbers readable.

import { Command } from "commander";
import { BACKEND_CHOICES } from "../../../shared/backends/backend.ts";
import { openBackend } from "../../../shared/backends/index.ts";
import { CHAIN_NAMES } from "../../../shared/diffusion/processes/index.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { JUDGE_SIDE, JUDGES } from "../../../shared/eval/judge-network.ts";
import type { LabelledImages } from "../../../shared/eval/score.ts";
import { loadModel } from "../../../shared/interop/load-model.ts";
import { givesImages } from "../../../shared/models/index.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { CLASSIFIER_OPTION, openGuide } from "../guide.ts";
import { oneOf, wholeNumber } from "../options.ts";
import { SAMPLING_OPTIONS } from "../sampling.ts";
import { evaluateBound } from "./eval/bound.ts";
import { evaluateCaptions } from "./eval/captions.ts";
import { readImages } from "./eval/images.ts";
import { evaluateClassifier } from "./eval/noised.ts";
import { MOST_IMAGES, openReal, openScorer } from "./eval/real.ts";
import { LEGEND, type Row, rowJson, rowTable } from "./eval/rows.ts";
import { openStages, STAGES } from "./eval/stages.ts";
import { generatedRows, listOf, tell, type WayOptions, waysOf } from "./eval/ways.ts";

interface EvalOptions extends WayOptions {
  readonly bound?: true;
  readonly against?: string;
  readonly labels?: string;
  readonly count?: string;
  readonly seeds?: string;
  readonly stages?: string;
  readonly classifier?: string;
  readonly weights?: string;
  readonly backend?: string;
}

/** What of a model's images may be said. */
const OF_IMAGES = [
  ...["seeds", "stages", "sampler", "steps", "guidance", "eta"],
  ...["classifier", "classifierScale"],
] as readonly (keyof EvalOptions)[];
const flagOf = (option: keyof EvalOptions): string =>
  `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

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
    .option(...CLASSIFIER_OPTION)
    .option("--classifier-scale <s>", "of its gradient; 0 for none (default: the job's, or 1)")
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .addHelpText(
      "after",
      `
Examples:
  plume eval runs/fashion
  plume eval runs/fashion --stages final --seeds 0 --count 100
  plume eval runs/fashion --stages final --seeds 0 --sampler heun,dpmpp-2m,ddim --steps 5,10,20
  plume eval runs/fashion --stages final --guidance 1,1.5,2,4
  plume eval --against pictures/
  plume sample runs/fashion --count 500 -o images.npy && plume eval --against images.npy
  plume eval runs/fashion --against theirs.npy --labels classes.npy --json
  plume eval runs/fashion --stages final --classifier runs/classifier --classifier-scale 0,1,2,4,8
  plume eval runs/classifier
  plume eval runs/heartbeat --bound
  plume eval runs/text --seeds 0 --guidance 1,3

Where --sampler, --steps, --guidance or --classifier-scale list several values, separated by commas, every combination is
drawn and measured. With growing classifier scale images are more often of their class, and less varied; the classifier is
neither of the judges.
A classifier (model.type: classifier) is measured on test images of its own data, noised as in training: its accuracy and
its cross-entropy at ten levels of noise. --count is how many images, 1000 of them by default.
A model of captions (model.text) draws one image of each caption that it was not trained on, 200 of them by default, and of captions
with pairs of colour and shape that it has never seen; told is how often the image is what its caption says.
An upsampler (model.lowRes) draws from test images, shrunk. What it draws of a base model's images is measured as any others:
plume sample UPSAMPLER --base BASE --count 500 -o images.npy && plume eval --against images.npy

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
      throw new PlumeError("INVALID_ARGUMENT", `${flagOf(flag)} ${options[flag]} is for a checkpoint's images`, {
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
    weights: options.weights,
  };
}

const nothingToMeasure = (): PlumeError =>
  new PlumeError("INVALID_ARGUMENT", "plume eval has nothing to measure", {
    remedy: "name a checkpoint (plume eval runs/fashion), or images (plume eval --against FOLDER_OR_NPY)",
  });

/** What draws images has no use where none are drawn. */
function checkBound(options: EvalOptions, checkpoint: string | undefined): void {
  if (checkpoint === undefined) throw nothingToMeasure();
  for (const flag of [...OF_IMAGES.filter((each) => each !== "seeds"), "against"] as (keyof EvalOptions)[])
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${flagOf(flag)} ${options[flag]} draws images, --bound draws none`, {
        remedy: "leave one of them out",
      });
}

async function evaluate(io: CommandIo, options: EvalOptions, checkpoint?: string): Promise<undefined> {
  const asked = parse(options, checkpoint);
  if (options.bound) {
    const seeds = options.seeds === undefined ? [0] : asked.seeds;
    await evaluateBound(io, checkpoint!, { ...asked, seeds }, (job) => openBackendFor(options.backend, job));
    return undefined;
  }
  const { against } = options;
  const loaded =
    checkpoint === undefined
      ? null
      : await loadModel(checkpoint, asked.weights, (trained) => openBackendFor(options.backend, trained));
  if (loaded && !givesImages(loaded.job.spec.model.type)) {
    refuseForClassifier(options, checkpoint!);
    return evaluateClassifier(io, checkpoint!, loaded, {
      count: options.count === undefined ? undefined : asked.count,
    });
  }
  if (loaded?.job.spec.model.text) {
    refuseForCaptions(options, checkpoint!);
    const ways = asked.waysOf(loaded.job.spec, undefined);
    return evaluateCaptions(io, checkpoint!, loaded, {
      ...{ ways, seeds: asked.seeds },
      count: options.count === undefined ? undefined : asked.count,
    });
  }
  const classifier = loaded ? await openGuide(options.classifier, loaded.job.spec, loaded.imageSet) : undefined;
  const ways = loaded ? asked.waysOf(loaded.job.spec, classifier) : [];
  const real = await openReal(io.signal);
  const given =
    against === undefined
      ? null
      : atMost(
          io,
          await readImages(against, { labels: options.labels, classes: real.test.classes, signal: io.signal }),
        );
  const model = loaded && (await openStages(checkpoint!, loaded, { ...asked, classifier, test: real.test }));
  if (!model) await openBackend(oneOf("--backend", options.backend ?? "auto", BACKEND_CHOICES));
  const count = model ? asked.count : sizeOf(given!);
  using scorer = await openScorer(real, count, io.signal);
  const rows: Row[] = [];
  if (given) rows.push({ kind: "given", name: against!, scores: [scorer.score(given)] });
  if (model) rows.push(...(await generatedRows(io, scorer, model, { ...asked, ways })));
  for (const { kind, name, images } of scorer.rows) {
    io.signal.throwIfAborted();
    rows.push({ kind, name, scores: [scorer.score(images)] });
  }
  if (model) {
    const { job, weights } = model;
    const how = ways.length === 1 ? `, ${tell(ways[0]!)}` : "";
    io.print(`${job.metadata.name}, ${weights} weights: ${count} images a seed, seeds ${asked.seeds.join(", ")}${how}`);
  }
  if (given) io.print(`${against}: ${sizeOf(given)} images${given.labels ? "" : ", without labels"}`);
  io.print(rowTable(rows));
  io.print(LEGEND);
  io.result({
    count,
    ...(model ? { checkpoint, step: model.step, weights: model.weights, seeds: asked.seeds } : {}),
    ...(given ? { against, images: sizeOf(given) } : {}),
    judge: { features: JUDGES.features.sha256, labels: JUDGES.labels.sha256 },
    reference: { set: "fashion-mnist", split: "test", images: MOST_IMAGES },
    rows: rows.map(rowJson),
  });
  return undefined;
}

/** It draws no images that these could be about. */
function refuseForClassifier(options: EvalOptions, checkpoint: string): void {
  for (const flag of [...OF_IMAGES, "against"] as const)
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${flagOf(flag)} ${options[flag]}: ${checkpoint} is a classifier`, {
        remedy: `it draws no images, and plume eval ${checkpoint} tells its accuracy`,
      });
}

/** It is measured by its captions alone. */
function refuseForCaptions(options: EvalOptions, checkpoint: string): void {
  for (const flag of ["against", "stages", "classifier", "classifierScale"] as const)
    if (options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `${flagOf(flag)} ${options[flag]}: ${checkpoint} reads captions`, {
        remedy: `leave it out: plume eval ${checkpoint} tells whether its images are what their captions say`,
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
