// plume eval: how good images are, a checkpoint's or anybody's, beside real ones and bad ones that make the numbers readable.

import { Command } from "commander";
import { BACKEND_CHOICES } from "../../../shared/backends/backend.ts";
import { openBackend } from "../../../shared/backends/index.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { JUDGE_SIDE, JUDGES } from "../../../shared/eval/judge-network.ts";
import type { LabelledImages } from "../../../shared/eval/score.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { oneOf, wholeNumber } from "../options.ts";
import { type SamplingChoice, type SamplingOptions, samplingChoice, withSamplingOptions } from "../sampling-choice.ts";
import { readImages } from "./eval/images.ts";
import { MOST_IMAGES, openReal, openScorer, type Scorer } from "./eval/real.ts";
import { LEGEND, type Row, rowJson, rowTable } from "./eval/rows.ts";
import { generateImages, type Model, openModel, STAGES } from "./eval/stages.ts";

interface EvalOptions extends SamplingOptions {
  readonly against?: string;
  readonly labels?: string;
  readonly count?: string;
  readonly seeds?: string;
  readonly stages?: string;
  readonly weights?: string;
  readonly backend?: string;
}

const COUNT = 500;
const FEWEST = 100;

export function evalCommand(): Command {
  const command = new Command("eval")
    .description(
      "measure images, a checkpoint's or any others, against real ones; with floors and bad anchors beside them",
    )
    .argument("[checkpoint]", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option(
      "--against <path>",
      `images to score, whoever made them: a folder of pictures (a subfolder a class), or a .npy file of uint8 [n, ${JUDGE_SIDE}, ${JUDGE_SIDE}, 1]`,
    )
    .option("--labels <file>", "their classes: a .npy file of integers [n] (default: the subfolders)")
    .option("--count <n>", `images to generate with each seed, ${FEWEST} to ${MOST_IMAGES} (default: ${COUNT})`)
    .option("--seeds <list>", "seeds of the noise (default: 0,1,2)")
    .option(
      "--stages <list>",
      `of ${STAGES.join(",")}: fresh weights, the oldest checkpoint that is kept, the one that is named (default: all)`,
    );
  return withSamplingOptions(command)
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

Where --sampler, --steps or --guidance list several values, separated by commas, every combination is drawn and measured.

The judges are two small classifiers of Fashion-MNIST, trained by plume on the training images alone and frozen. Their
numbers compare with each other only, at the same number of images, and are no FID. Read them together: class means score
well on accuracy, copies of the training images on everything but "copies", noise on nothing.`,
    )
    .action(action(evaluate));
}

const list = (text: string): string[] => text.split(",").map((each) => each.trim());

/** What of a checkpoint is asked for, checked before anything is opened. */
function parse(options: EvalOptions, checkpoint: string | undefined) {
  const { against, labels } = options;
  if (checkpoint === undefined && against === undefined)
    throw new PlumeError("INVALID_ARGUMENT", "plume eval has nothing to measure", {
      remedy: "name a checkpoint (plume eval runs/fashion), or images (plume eval --against FOLDER_OR_NPY)",
    });
  if (labels !== undefined && against === undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--labels ${labels} is for the images of --against`, {
      remedy: "add --against FOLDER_OR_NPY, or leave --labels out",
    });
  for (const flag of ["count", "seeds", "stages", "sampler", "steps", "guidance", "eta", "weights"] as const)
    if (checkpoint === undefined && options[flag] !== undefined)
      throw new PlumeError("INVALID_ARGUMENT", `--${flag} ${options[flag]} is for a checkpoint's images`, {
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
    seeds: list(options.seeds ?? "0,1,2").map((seed) => wholeNumber("--seeds", seed)),
    stages: list(options.stages ?? STAGES.join(",")).map((stage) => oneOf("--stages", stage, STAGES)),
    ways: sweep(options).map(samplingChoice),
    weights: options.weights,
  };
}

async function evaluate(io: CommandIo, options: EvalOptions, checkpoint?: string): Promise<undefined> {
  const asked = parse(options, checkpoint);
  const { against } = options;
  const real = await openReal(io.signal);
  const given =
    against === undefined
      ? null
      : atMost(
          io,
          await readImages(against, { labels: options.labels, classes: real.test.classes, signal: io.signal }),
        );
  const model =
    checkpoint === undefined
      ? null
      : await openModel(checkpoint, asked, (trained) => openBackendFor(options.backend, trained));
  if (!model) await openBackend(oneOf("--backend", options.backend ?? "auto", BACKEND_CHOICES));
  const count = model ? asked.count : sizeOf(given!);
  const ways = model ? asked.ways.map((choose) => choose(model.job.spec)) : [];
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
    const how = ways.length === 1 ? `, ${told(ways[0]!)}` : "";
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

/** Every combination of the values that are listed. */
function sweep({ sampler, steps, guidance, eta }: SamplingOptions): SamplingOptions[] {
  let ways: SamplingOptions[] = [eta === undefined ? {} : { eta }];
  for (const [field, values] of Object.entries({ sampler, steps, guidance }))
    if (values !== undefined) ways = ways.flatMap((way) => list(values).map((value) => ({ ...way, [field]: value })));
  return ways;
}

const told = ({ sampler, steps, guidance }: SamplingChoice): string =>
  `${sampler}, ${steps} steps, guidance ${guidance}`;

async function generatedRows(
  io: CommandIo,
  scorer: Scorer,
  model: Model,
  asked: { count: number; seeds: readonly number[]; ways: readonly SamplingChoice[] },
): Promise<Row[]> {
  const { count, seeds, ways } = asked;
  const rows: Row[] = [];
  for (const { name, step, load } of model.stages) {
    load();
    for (const way of ways) {
      const title = `${name}, step ${step}${ways.length > 1 ? `: ${told(way)}` : ""}`;
      const before = model.evaluations();
      const scores = [];
      for (const seed of seeds) {
        const onBatch = (done: number) => {
          if (done % 80 === 0) io.note(`  ${title}, seed ${seed}: ${done} of ${count} images`);
        };
        scores.push(scorer.score(await generateImages(model, { ...way, count, seed, signal: io.signal, onBatch })));
      }
      const evaluations = (model.evaluations() - before) / (seeds.length * count);
      rows.push({ kind: "generated", name: title, scores, drawn: { step, ...way, evaluations } });
    }
  }
  return rows;
}
