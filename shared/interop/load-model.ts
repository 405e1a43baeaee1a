// Weights made ready to sample from: their job, their network, themselves on the device.

import { locateCheckpoint } from "../checkpoint/locate.ts";
import { type CheckpointState, prefixOf } from "../checkpoint/manifest.ts";
import { WEIGHTS, type Weights } from "../config/models.ts";
import type { Job } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { Network } from "../nn/network.ts";
import { createDeviceParams, type DeviceParams } from "../pipeline/device-params.ts";
import { buildNetwork } from "../pipeline/network.ts";
import type { StoreAccess } from "../store/access.ts";
import { packed } from "../tensor/flat.ts";
import { buildLayout, type Layout } from "../tensor/layout.ts";
import { readWeights } from "./export.ts";
import { jobOf } from "./job.ts";
import { isModelFolder, type ModelFolder, readModelFolder } from "./read.ts";
import { weightsFor } from "./weights.ts";

type Card = CheckpointState["imageSet"];
type Shown = Pick<Card, "name" | "height" | "width" | "channels" | "classes"> & Partial<Pick<Card, "digest">>;

export interface LoadedModel {
  readonly job: Job;
  /** Committed steps. */
  readonly step: number;
  readonly weights: Weights;
  /** What it was trained on, as far as that is known. */
  readonly imageSet: Shown;
  readonly network: Network;
  readonly layout: Layout;
  readonly params: DeviceParams;
}

/** Weights in memory, and what they are of. */
export interface ReadModel extends Pick<LoadedModel, "job" | "step" | "weights" | "imageSet"> {
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Where they were read: a checkpoint by its step, or the exported folder. */
  readonly at: string;
}

/**
 * @param checkpoint as on the command line: a run's folder, a store, one step's folder, or an exported folder.
 * @param asked "ema" or "raw"; absent, the EMA of a checkpoint and what an exported folder has.
 * @param open opens the backend that the weights go to, once it is known what they are of.
 */
export async function loadModel<B>(
  checkpoint: string,
  asked: string | undefined,
  open: (job: Job) => Promise<B>,
): Promise<LoadedModel & { readonly backend: B }> {
  const model = await readModel(checkpoint, asked === undefined ? undefined : checkWeights(asked));
  const { values: _, at: __, ...source } = model;
  const { network, layout, flat } = await flatOf(model);
  const backend = await open(source.job);
  const params = createDeviceParams(layout);
  params.load(flat);
  return { ...source, network, layout, params, backend };
}

/** @param checkpoint as loadModel. @param access how a store on S3 is reached. */
export const readModel = async (
  checkpoint: string,
  weights: Weights | undefined,
  access?: StoreAccess,
): Promise<ReadModel> =>
  finite(
    isModelFolder(checkpoint)
      ? await fromFolder(readModelFolder(checkpoint), weights)
      : await fromCheckpoint(checkpoint, weights ?? "ema", access),
  );

/** What is drawn with other weights would be black, and say nothing. @throws PlumeError DATA_LOSS naming the tensor. */
function finite(model: ReadModel): ReadModel {
  for (const [name, values] of model.values)
    if (!values.every(Number.isFinite))
      throw new PlumeError("DATA_LOSS", `${model.at}: the weights ${name} hold numbers that are not finite`, {
        remedy: "name an earlier checkpoint of the run (step-...), or train again with a lower learning rate",
      });
  return model;
}

/** Its weights as one vector: float32 [layout.size]. */
export async function flatOf(model: ReadModel) {
  const { network, layout } = await networkOf(model);
  return { network, layout, flat: packed(layout, (name) => model.values.get(name)!) };
}

export async function networkOf({ job, imageSet }: Pick<ReadModel, "job" | "imageSet">) {
  const network = await buildNetwork(job.spec, imageSet);
  return { network, layout: buildLayout(network.params) };
}

/** @throws PlumeError INVALID_ARGUMENT. */
export function checkWeights(asked: string): Weights {
  const known = WEIGHTS.find((each) => each === asked);
  if (known) return known;
  throw new PlumeError("INVALID_ARGUMENT", `--weights ${asked} is unknown`, {
    remedy: "use ema (the average) or raw (the last step's)",
  });
}

async function fromCheckpoint(checkpoint: string, weights: Weights, access?: StoreAccess): Promise<ReadModel> {
  const { store, which } = await locateCheckpoint(checkpoint, access);
  const { tensors, ...source } = await readWeights(store, which, weights);
  const at = `${store.url}/${prefixOf(source.step).slice(0, -1)}`;
  return { ...source, at, values: new Map(tensors.map(({ name, values }) => [name, values])) };
}

/** A folder has one kind of weights; those that plume did not write are the folder's own. */
async function fromFolder(folder: ModelFolder, asked: Weights | undefined): Promise<ReadModel> {
  const { own, path, unet, side } = folder;
  const weights = own?.card.weights ?? asked ?? "ema";
  if (asked !== undefined && asked !== weights)
    throw new PlumeError("FAILED_PRECONDITION", `${path} has the ${weights} weights alone, --weights is ${asked}`, {
      remedy: `leave --weights out, or export with --weights ${asked}`,
    });
  const job = jobOf(folder);
  const imageSet = own?.card.imageSet ?? { name: path, height: side!, width: side!, channels: unet.inC, classes: [] };
  const { values } = await weightsFor(job.spec, imageSet, folder);
  return { job, step: own?.card.step ?? 0, weights, imageSet, values, at: path };
}
