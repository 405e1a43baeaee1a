// The frozen models of a job, read and proved: from job to weights in memory that threads share.

import type { FrozenName, TrainedName } from "../config/models.ts";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import { networkOf, type ReadModel, readModel } from "../interop/load-model.ts";
import { isModelFolder } from "../interop/read.ts";
import { weightsDigest } from "../interop/weights.ts";
import type { FrozenWeights } from "../pipeline/frozen.ts";
import { packed } from "../tensor/flat.ts";
import { isTextFolder, type ReadText, readTextEncoder } from "../text/read.ts";
import { checkFits, checkSameTellers, checkTextFits, type Images } from "./fits.ts";

interface FrozenModel extends FrozenWeights {
  /** Where they were read: a checkpoint by its step, or the exported folder. */
  readonly at: string;
  readonly sha256: string;
}

export type FrozenModels = Readonly<Partial<Record<TrainedName, FrozenModel>>> & {
  readonly text?: ReadText | FrozenModel;
};

/**
 * Every model that the job names. @param images of the job's data set. @param called by what errors name a model.
 * @throws PlumeError with the field's name: NOT_FOUND where there is no such checkpoint, DATA_LOSS for a damaged one,
 * FAILED_PRECONDITION for a model that does not fit the job or has other weights than the job's sha256 says.
 */
export async function readFrozen(
  spec: JobSpec,
  images: Images,
  called = (name: FrozenName): string => `models.${name}`,
): Promise<FrozenModels> {
  const named = Object.keys(spec.models) as FrozenName[];
  const one = (name: FrozenName) => (name === "text" ? readText(spec, images) : readOne(spec, name, images));
  const read = named.map(async (name) => [name, await naming(called(name), () => one(name))] as const);
  const models = Object.fromEntries(await Promise.all(read)) as FrozenModels;
  if (models.teacher) checkSameTellers(models.teacher.spec, models);
  checkSpace(models, called);
  return models;
}

/** A prior draws embeddings of the clip that it was trained with. */
function checkSpace({ clip, prior }: FrozenModels, called: (name: FrozenName) => string): void {
  const own = prior?.spec.models.clip?.sha256;
  if (!clip || own === undefined || own === clip.sha256) return;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${called("prior")}: ${prior!.at} draws embeddings of the clip ${own}, the job's is ${clip.sha256}`,
    { remedy: "name a prior that was trained with the job's models.clip" },
  );
}

/** Of a folder, or the text tower of a clip that plume trained. */
async function readText(spec: JobSpec, images: Images): Promise<ReadText | FrozenModel> {
  const { from } = spec.models.text!;
  if (isModelFolder(pathOf(from))) return readOne(spec, "text", images);
  if (await isTextFolder(from, spec.store)) return readTextFolder(spec);
  return readOne(spec, "text", images).catch((cause) => {
    if (!(cause instanceof PlumeError) || cause.code !== "NOT_FOUND") throw cause;
    throw new PlumeError("NOT_FOUND", `${from} is no text encoder: it has no config.json, and ${cause.message}`, {
      remedy: "name a folder of a T5 encoder, as transformers' save_pretrained writes it, or the run of a clip",
      cause,
    });
  });
}

async function readTextFolder(spec: JobSpec): Promise<ReadText> {
  const { from, weights, sha256: pinned } = spec.models.text!;
  if (weights !== undefined)
    throw new PlumeError("FAILED_PRECONDITION", `weights is ${weights}, the encoder at ${from} has one kind`, {
      remedy: "leave weights out: it is said of a clip that plume trained",
    });
  const text = await readTextEncoder(from, spec.store);
  await checkTextFits(spec, text);
  if (pinned === undefined || pinned === text.sha256) return text;
  throw new PlumeError("FAILED_PRECONDITION", `sha256 is ${pinned}, the encoder at ${text.at} has ${text.sha256}`, {
    remedy: "name the folder of that encoder, or begin another run with this one",
  });
}

const pathOf = (from: string): string => from.replace(/^file:\/\//, "");

async function readOne(spec: JobSpec, name: FrozenName, images: Images): Promise<FrozenModel> {
  const { from, weights, sha256: pinned } = spec.models[name]!;
  const model = await readModel(pathOf(from), weights, spec.store);
  await checkFits(name, spec, images, model);
  const { layout } = await networkOf(model);
  const sha256 = weightsDigest(layout, model.values);
  if (pinned !== undefined && pinned !== sha256) throw otherWeights(pinned, sha256, model);
  const shared = new Float32Array(new SharedArrayBuffer(layout.size * Float32Array.BYTES_PER_ELEMENT));
  const flat = packed(layout, (tensor) => model.values.get(tensor)!, shared);
  const { height, width, channels } = model.imageSet;
  return { spec: model.job.spec, image: { height, width, channels }, flat, sha256, at: urlOf(model.at) };
}

const urlOf = (place: string): string => (/^[a-z0-9]+:\/\//.test(place) ? place : `file://${place}`);

const otherWeights = (pinned: string, sha256: string, { at, step, weights }: ReadModel): PlumeError =>
  new PlumeError(
    "FAILED_PRECONDITION",
    `sha256 is ${pinned}, the ${weights} weights of step ${step} at ${at} have ${sha256}`,
    { remedy: "name the step-... folder that has those weights, or begin another run with these" },
  );

/** An error of a model says of which one. */
export async function naming<T>(name: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof PlumeError)) throw error;
    throw new PlumeError(error.code, `${name}: ${error.message}`, { remedy: error.remedy, cause: error });
  }
}
