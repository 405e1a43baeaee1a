// Whether a model is one that the job can use: every field that speaks against it, by the job's name for it.

import type { FrozenName } from "../config/models.ts";
import type { JobSpec } from "../config/schema.ts";
import { counted } from "../counted.ts";
import { isOfScenes, SCENES } from "../data/sources/index.ts";
import { PlumeError } from "../errors.ts";
import { networkOf, type ReadModel } from "../interop/load-model.ts";
import { CODEBOOKS, denoises, drawsEmbeddings, NETWORKS } from "../models/index.ts";
import { sideOf } from "../models/of-job.ts";
import { clipTokens } from "../pipeline/caption-encoder.ts";
import { buildNetwork } from "../pipeline/network.ts";
import { buildLayout } from "../tensor/layout.ts";
import type { ReadText } from "../text/read.ts";
import { openTokenizer, type Tokenize } from "../text/tokenizer.ts";

/** Of the job's data set. */
export interface Images {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

type Differences = (spec: JobSpec, images: Images, model: ReadModel) => Promise<readonly string[]>;

/** One line a field, by what the job uses the model for. */
const DIFFERENCES: Readonly<Record<FrozenName, Differences>> = {
  async teacher(spec, images, model) {
    const { type } = model.job.spec.model;
    if (!denoises(type)) return [`model.type: the model is a ${type}, the job distils what denoises`];
    return [
      ...imagesOf(spec, images, model),
      ...labelsOf(spec, model),
      ...toldOf(spec, model),
      ...processOf(spec, model),
      ...augmentOf(spec, model),
      ...(spec.training.init === "teacher" ? await networkFields(spec, images, model) : []),
    ];
  },
  async classifier(spec, images, model) {
    const { type, classes } = model.job.spec.model;
    if (NETWORKS[type].gives !== "classes")
      return [`model.type: the model is a ${type}, and no classifier of noised images`];
    if (!denoises(spec.model.type))
      return [`model.type: the job's is a ${spec.model.type}, which walks no way to guide`];
    const others = spec.model.classes > 0 && spec.model.classes !== classes;
    return [
      ...(spec.diffusion.predict === "consistency" ? [NO_SCORE] : []),
      ...(spec.model.text ? [NO_CLASSES] : []),
      ...imagesOf(spec, images, model),
      ...noiseOf(spec, model),
      ...(others ? [line("model.classes", classes, spec.model.classes)] : []),
    ];
  },
  async clip({ model }, images, theirs) {
    const { type, embedding } = theirs.job.spec.model;
    if (NETWORKS[type].gives !== "features") return [`model.type: the model is a ${type}, and no clip`];
    return [
      ...sizeOf(images, theirs),
      ...(embedding === model.embedding ? [] : [line("model.embedding", embedding, model.embedding)]),
    ];
  },
  async text(spec, _, theirs) {
    const { type, text } = theirs.job.spec.model;
    if (NETWORKS[type].gives !== "features")
      return [`model.type: the model is a ${type}, and no clip, whose text tower gives words`];
    const { source } = spec.data;
    return [
      ...widthOf(spec, text!.width),
      ...(isOfScenes(source)
        ? longPrompts(spec, clipTokens)
        : [`data.source: the model reads ${SCENES.join(", ")}, the job's is ${source}`]),
    ];
  },
  async prior({ model }, _, theirs) {
    const { type, embedding } = theirs.job.spec.model;
    if (!drawsEmbeddings(type)) return [`model.type: the model is a ${type}, and no prior`];
    return embedding === model.embedding ? [] : [line("model.embedding", embedding, model.embedding)];
  },
  async dvae(spec, images, theirs) {
    const { model, autoencoder } = theirs.job.spec;
    if (!CODEBOOKS.includes(model.type)) return [`model.type: the model is a ${model.type}, and no dvae`];
    const { codes, codeSide } = spec.autoencoder;
    const side = sideOf(theirs.job.spec, model.channelMult.length - 1);
    return [
      ...imagesOf(spec, images, theirs),
      ...(model.classes === 0 ? [] : [line("model.classes", model.classes, spec.model.classes)]),
      ...(autoencoder.codes === codes ? [] : [line("autoencoder.codes", autoencoder.codes, codes)]),
      ...(side === codeSide ? [] : [`autoencoder.codeSide: the model has ${side} codes a side, the job ${codeSide}`]),
    ];
  },
};

/** @throws PlumeError FAILED_PRECONDITION with all that differs. */
export async function checkFits(name: FrozenName, spec: JobSpec, images: Images, model: ReadModel): Promise<void> {
  refuse(model.at, await DIFFERENCES[name](spec, images, model));
}

/** The same of a text encoder in a folder. */
export async function checkTextFits(spec: JobSpec, { at, width, tokenizer }: ReadText): Promise<void> {
  refuse(at, [...widthOf(spec, width), ...longPrompts(spec, await openTokenizer(tokenizer))]);
}

/** Words of an encoder are as wide as those that the network reads. */
const widthOf = ({ model }: JobSpec, width: number): string[] =>
  width === model.text!.width ? [] : [line("model.text.width", width, model.text!.width)];

/** Prompts are no longer than a caption may be. @throws PlumeError INVALID_ARGUMENT for a word that the tokenizer lacks. */
function longPrompts({ models, sampling }: JobSpec, tokenize: Tokenize): string[] {
  const { length } = models.text!;
  const of = (prompt: string) => tokenize(prompt, "sampling.prompts").length;
  const long = sampling.prompts?.find((prompt) => of(prompt) > length);
  if (long === undefined) return [];
  return [`sampling.prompts: "${long.slice(0, 40)}" has ${of(long)} tokens, models.text.length is ${length}`];
}

function refuse(at: string, differences: readonly string[]): void {
  if (differences.length === 0) return;
  throw new PlumeError("FAILED_PRECONDITION", `${at} does not fit this job:\n  ${differences.join("\n  ")}`, {
    remedy: "change the job's fields to the model's, or name another model",
  });
}

/** What tells a network of its condition. */
const TELLERS = { text: "text encoder", clip: "clip" } as const;

/** A teacher that was told of the words of another encoder, or of embeddings of another clip, would teach of what it has never seen. */
export function checkSameTellers(
  teacher: JobSpec,
  ours: Readonly<Partial<Record<keyof typeof TELLERS, { readonly sha256: string }>>>,
): void {
  for (const [name, called] of Object.entries(TELLERS) as [keyof typeof TELLERS, string][]) {
    const [theirs, own] = [teacher.models[name]?.sha256, ours[name]?.sha256];
    if (theirs === own) continue;
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `models.teacher was trained with ${theirs ? `the ${called} ${theirs}` : `no ${called}`}, the job names ${own ?? "none"}`,
      { remedy: `name the teacher's own in models.${name}` },
    );
  }
}

const line = (field: string, theirs: unknown, ours: unknown): string =>
  `${field}: the model has ${JSON.stringify(theirs)}, the job ${JSON.stringify(ours)}`;

/** Images as people see them. */
function sizeOf(images: Images, { imageSet }: ReadModel): string[] {
  const shape = ({ height, width, channels }: Images) => [height, width, channels];
  const [theirs, ours] = [shape(imageSet), shape(images)];
  return theirs.join() === ours.join() ? [] : [line("data.imageSize (height, width, channels)", theirs, ours)];
}

/** Images as the network sees them. */
function imagesOf({ data }: JobSpec, images: Images, model: ReadModel): string[] {
  const { patch } = model.job.spec.data;
  return [...sizeOf(images, model), ...(patch === data.patch ? [] : [line("data.patch", patch, data.patch)])];
}

/** A model without classes sees no label. */
function labelsOf({ model }: JobSpec, { job }: ReadModel): string[] {
  const { classes } = job.spec.model;
  return classes === 0 || classes === model.classes ? [] : [line("model.classes", classes, model.classes)];
}

/** A teacher is told what its student is. */
const toldOf = ({ model }: JobSpec, { job }: ReadModel): string[] =>
  (["text", "embedding", "lowRes"] as const).flatMap((field) => {
    const [theirs, ours] = [job.spec.model[field] ?? null, model[field] ?? null];
    return JSON.stringify(theirs) === JSON.stringify(ours) ? [] : [line(`model.${field}`, theirs, ours)];
  });

/** What is taught of augmented images is that of a teacher that was told of them. */
function augmentOf({ data }: JobSpec, { job }: ReadModel): string[] {
  const { augment } = job.spec.data;
  return data.augment > 0 && augment === 0 ? [line("data.augment", augment, data.augment)] : [];
}

/** A teacher is a denoiser at every level, or the last student, at all levels that this one is shown. */
function processOf({ diffusion }: JobSpec, { job }: ReadModel): string[] {
  const { process, objective, scales } = job.spec.diffusion;
  if (process !== diffusion.process) return [line("diffusion.process", process, diffusion.process)];
  if (objective === "simple") return [];
  if (objective !== "progressive" || diffusion.objective !== "progressive")
    return [`diffusion.objective: the model has "${objective}", the job distils a denoiser, of the objective "simple"`];
  if (scales.start === 2 * diffusion.scales.start) return [];
  return [
    `diffusion.scales.start: the model is a student of ${counted(scales.start, "step")}, the job's takes ${diffusion.scales.start}, which is not half as many`,
  ];
}

/** Fields in which two networks of other parameters differ. */
async function networkFields(spec: JobSpec, images: Images, model: ReadModel): Promise<string[]> {
  const ours = buildLayout((await buildNetwork(spec, images)).params);
  if ((await networkOf(model)).layout.digest === ours.digest) return [];
  const theirs = model.job.spec.model;
  const differ = (Object.keys(theirs) as (keyof typeof theirs)[]).filter(
    (field) => JSON.stringify(theirs[field]) !== JSON.stringify(spec.model[field]),
  );
  const [told, tells] = [model.job.spec.data.augment, spec.data.augment];
  return [
    ...differ.map((field) => line(`model.${field}, for training.init teacher`, theirs[field], spec.model[field])),
    ...(told > 0 === tells > 0 ? [] : [line("data.augment, for training.init teacher", told, tells)]),
  ];
}

/** What decides the noise at a time, and not how often training draws it. */
const NOISE = ["process", "schedule", "timesteps", "betaMin", "betaMax", "sigmaMin", "sigmaMax"] as const;

const NO_SCORE =
  "diffusion.predict: the job's model predicts consistency, which is no denoiser and has no score to guide";

const NO_CLASSES = "model.text: the job's model reads captions, and a class would be a second condition";

/** A classifier knows x_t of its own process alone. */
const noiseOf = ({ diffusion }: JobSpec, { job }: ReadModel): string[] =>
  NOISE.filter((field) => job.spec.diffusion[field] !== diffusion[field]).map((field) =>
    line(`diffusion.${field}`, job.spec.diffusion[field], diffusion[field]),
  );
