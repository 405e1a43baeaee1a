// plume edit: what a trained model does to images that are there. One file a task, one line in the table.

import { Command } from "commander";
import type { Backend } from "../../../shared/backends/backend.ts";
import { counted } from "../../../shared/counted.ts";
import { chainKind } from "../../../shared/diffusion/processes/index.ts";
import { createEditor, imageKey, type Subjects } from "../../../shared/editing/editor.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { type LoadedModel, loadModel } from "../../../shared/interop/load-model.ts";
import { generates } from "../../../shared/models/index.ts";
import { scaled, seen } from "../../../shared/pipeline/pixels.ts";
import { type Embedder, numbersOf } from "../../../shared/pipeline/towers.ts";
import {
  fitsModel,
  inverts,
  isStepwise,
  ofGenerators,
  SAMPLER_NAMES,
  type SamplerName,
  scalesNoise,
} from "../../../shared/samplers/index.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { openEmbedder } from "../embedder.ts";
import { classOf } from "../options.ts";
import { checkOutput, OUTPUT_OPTION } from "../output.ts";
import {
  type AskedSampling,
  breathe,
  checkDraws,
  checkNoUpsampler,
  checkSilence,
  noLabel,
  parseSampling,
  SAMPLING_OPTIONS,
  type SamplingOptions,
  SEED_OPTION,
  samplingFor,
} from "../sampling.ts";
import { colorize } from "./edit/colorize.ts";
import { imageToImage } from "./edit/image-to-image.ts";
import { type GivenImages, IMAGE_OPTIONS, type ImageOptions, parseImages, readImages } from "./edit/images.ts";
import { inpaint } from "./edit/inpaint.ts";
import { interpolate } from "./edit/interpolate.ts";
import { reconstruct } from "./edit/reconstruct.ts";
import { writeEdited } from "./edit/show.ts";
import { superResolution } from "./edit/super-resolution.ts";
import { type EditTask, type Given, type Prepared, progressText, type Scene, type Work } from "./edit/task.ts";
import { textDiff } from "./edit/text-diff.ts";
import { variations } from "./edit/variations.ts";

const TASKS: Readonly<Record<string, EditTask>> = {
  inpaint,
  colorize,
  "super-resolution": superResolution,
  "image-to-image": imageToImage,
  interpolate,
  reconstruct,
  variations,
  "text-diff": textDiff,
};

interface EditOptions extends SamplingOptions, ImageOptions {
  readonly class?: string;
  readonly weights?: string;
  readonly backend?: string;
  readonly output: string;
}

const BATCH = 8;
/** Between two lines of progress. */
const QUIET_MS = 5_000;

export function editCommand(): Command {
  const command = new Command("edit")
    .description("inpaint, colorize, sharpen, redraw, vary and interpolate images with a trained model")
    .addHelpText(
      "after",
      `
Examples:
${Object.keys(TASKS).flatMap(examplesOf).join("\n")}

plume edit <command> --help has the options of each. An image's outcome depends on its pixels, the seed and the options alone.
A decoder of CLIP's embeddings (model.embedding) is told each image's own where it is reconstructed or varied; between two it is led from one to
the other, as the noise is.`,
    );
  for (const name of Object.keys(TASKS)) command.addCommand(taskCommand(name));
  return command;
}

const CHOICES = `Where the job's sampler cannot do it, ddim does, or heun. Encodings are made without guidance, unless --guidance is given.`;

const examplesOf = (name: string): string[] =>
  TASKS[name]!.examples.map((rest) => `  plume edit ${name} runs/${TASKS[name]!.run ?? "fashion"} ${rest}`);

function taskCommand(name: string): Command {
  const task = TASKS[name]!;
  const command = new Command(name)
    .description(task.about)
    .argument("<checkpoint>", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder");
  for (const option of [...IMAGE_OPTIONS, ...task.options]) command.option(...option);
  command.option("--class <k>", "the class of all images, by number or name (default: their own, else none)");
  for (const option of SAMPLING_OPTIONS) command.option(...option);
  return command
    .option(...SEED_OPTION)
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .requiredOption(...OUTPUT_OPTION)
    .addHelpText("after", `\nExample:\n${examplesOf(name).join("\n")}\n\n${CHOICES}`)
    .action(action((io, options: EditOptions, checkpoint) => edit(io, name, options, checkpoint!)));
}

async function edit(io: CommandIo, name: string, options: EditOptions, checkpoint: string): Promise<undefined> {
  const { output } = options;
  checkOutput(output);
  const asked = parseSampling(options);
  const images = parseImages(options);
  const prepared = TASKS[name]!.prepare(options as unknown as Given);
  const model = await loadModel(checkpoint, options.weights, (trained) => openBackendFor(options.backend, trained));
  checkDraws(checkpoint, model.job.spec);
  checkNoUpsampler(checkpoint, model.job.spec);
  checkLevels(checkpoint, model, prepared);
  const image = imageOf(model);
  const embedder = await embedderFor(checkpoint, model, prepared);
  checkSilence(checkpoint, model.job.spec, embedder !== undefined);
  const { spec } = model.job;
  const sampling = samplingFor(spec, forTask(checkpoint, prepared, model, asked));
  const given = await readImages(images, { image, spec, enlarges: prepared.enlarges }, io.signal);
  const subjects = subjectsOf(given, model, options.class, prepared);
  const scene = { image, patch: spec.data.patch, sampling, embedder, ...(await embedded(subjects, embedder)) };
  const run = await prepared.open(scene);
  const edited = await run(workOf(io, model, scene));
  await writeEdited(output, edited, image);
  const count = scene.subjects.keys.length;
  const { seed, sampler, steps, guidance } = sampling;
  const { told = {} } = edited;
  const { step, weights } = model;
  io.print(
    `${counted(count, "image")} by ${name} (${sampler}, ${counted(steps, "step")}) with step ${step} (${weights} weights) in ${output}`,
  );
  if (told.error !== undefined) io.print(`made again they differ by ${told.error} of 255 (root mean square)`);
  io.result({ file: output, task: name, count, step, weights, seed, sampler, steps, guidance, ...told });
  return undefined;
}

type Placed = LoadedModel & { readonly backend: Backend };

/** The CLIP of a decoder, for a task that is about embeddings. @throws PlumeError FAILED_PRECONDITION for another model, where it must be one. */
async function embedderFor(checkpoint: string, model: Placed, { embeds }: Prepared): Promise<Embedder | undefined> {
  if (!embeds) return undefined;
  const embedder = await openEmbedder(model);
  if (embedder || embeds === "perhaps") return embedder;
  throw new PlumeError("FAILED_PRECONDITION", `${checkpoint} is told no embeddings of CLIP, which this changes`, {
    remedy: "name a decoder: a run whose job has model.embedding, such as deploy/jobs/decoder.yaml",
  });
}

type Shown = Pick<Scene, "pixels" | "subjects">;

/** With the embedding of each. */
async function embedded({ pixels, subjects }: Shown, embedder: Embedder | undefined): Promise<Shown> {
  if (!embedder) return { pixels, subjects };
  return { pixels, subjects: { ...subjects, embeddings: await numbersOf(embedder.images(pixels)) } };
}

/** A chain's steps are no levels that images could be noised to, and a generator has none; one that knows a density encodes. */
function checkLevels(checkpoint: string, { job, network }: LoadedModel, { needs }: Prepared): void {
  const { process } = job.spec.diffusion;
  const { type } = job.spec.model;
  if (generates(type) && !(network.density && needs === "inversion"))
    throw new PlumeError("FAILED_PRECONDITION", `${checkpoint} is a ${type}: it makes images of noise, not of images`, {
      remedy: `use a model that denoises, such as a run of deploy/jobs/fashion.yaml${network.density ? ", or reconstruct and interpolate by this one" : ""}`,
    });
  if (!chainKind(process)) return;
  throw new PlumeError("FAILED_PRECONDITION", `${checkpoint} is a model of ${process}, whose steps have no levels`, {
    remedy: `plume posterior ${checkpoint} denoises and completes its images`,
  });
}

function imageOf({ imageSet: { height, width, channels } }: LoadedModel) {
  if (channels === 2)
    throw new PlumeError("FAILED_PRECONDITION", "the model makes points of the plane, which are no images", {
      remedy: "use a model that was trained on images",
    });
  return { height, width, channels };
}

/** Tried in turn where the job's sampler cannot do it. */
const OTHERS: readonly SamplerName[] = ["ddim", "heun"];

const CAN: Readonly<Record<Prepared["needs"], (name: SamplerName) => boolean>> = {
  anything: () => true,
  steps: isStepwise,
  inversion: (name) => inverts(name) || ofGenerators(name),
  variation: (name) => inverts(name) && scalesNoise(name),
};

const CANNOT: Readonly<Record<Prepared["needs"], string>> = {
  anything: "",
  steps: "takes several of its noise levels together, or chooses them: nothing can be held between two",
  inversion: "does not find the noise that it makes an image of",
  variation: "does not find the noise that it makes an image of, or adds none of its own that could be more or less",
};

/** What is asked, with a sampler that can do it. */
function forTask(
  checkpoint: string,
  { needs, guidance }: Prepared,
  { job }: LoadedModel,
  asked: AskedSampling,
): AskedSampling {
  const { diffusion, model } = job.spec;
  const fits = (name: SamplerName) => fitsModel(name, { ...diffusion, generates: generates(model.type) });
  const can = (name: SamplerName) => CAN[needs](name) && fits(name);
  const sampler = asked.sampler ?? [job.spec.sampling.sampler, ...OTHERS].find(can);
  if (sampler === undefined)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `${checkpoint}: what draws from a model of ${diffusion.process} that predicts ${diffusion.predict} ${CANNOT[needs]}`,
      { remedy: "use a model that ddim draws from, such as a run of deploy/jobs/fashion.yaml or decoder.yaml" },
    );
  if (fits(sampler) && !can(sampler))
    throw new PlumeError("INVALID_ARGUMENT", `--sampler ${sampler} ${CANNOT[needs]}`, {
      remedy: `use one of ${SAMPLER_NAMES.filter(can).join(", ")}${needs === "steps" ? ", or --method null-space" : ""}`,
    });
  const encodes = needs === "inversion" || needs === "variation";
  if (encodes && asked.eta)
    throw new PlumeError("INVALID_ARGUMENT", `--eta ${asked.eta} adds noise, which no encoding holds`, {
      remedy: "leave --eta out",
    });
  return {
    ...asked,
    sampler,
    guidance: asked.guidance ?? guidance,
    ...(encodes && inverts(sampler) && scalesNoise(sampler) && { eta: 0 }),
  };
}

function subjectsOf(
  { pixels, labels: own }: GivenImages,
  { job, imageSet }: LoadedModel,
  named: string | undefined,
  { keepsLabels = false }: Prepared,
): Pick<Scene, "pixels" | "subjects"> {
  const { data, model } = job.spec;
  const { height, width, channels } = imageSet;
  const size = height * width * channels;
  const n = pixels.length / size;
  const keys = Array.from({ length: n }, (_, k) => imageKey(pixels.subarray(k * size, (k + 1) * size)));
  const values = seen(scaled(pixels), { height, width, channels }, data.patch);
  const all = (label: number) => new Array<number>(n).fill(label);
  const labels = (): Subjects["labels"] => {
    if (named !== undefined) return all(classOf(named, imageSet.classes, model.classes));
    if (model.classes === 0) return null;
    if (own && keepsLabels) return own;
    return all(noLabel(job.spec, imageSet.classes));
  };
  return { pixels, subjects: { values, keys, labels: labels() } };
}

function workOf(io: CommandIo, model: Placed, { image, sampling }: Scene): Work {
  const { job, network, params, backend } = model;
  const edit = createEditor({
    ...sampling,
    spec: job.spec,
    network,
    params,
    program: backend.program,
    image,
    batch: BATCH,
  });
  let last = Date.now();
  return (subjects, task) =>
    edit(subjects, task, async (progress) => {
      await breathe(io.signal);
      if (Date.now() - last < QUIET_MS) return;
      last = Date.now();
      io.note(progressText(progress, subjects.keys.length));
    });
}
