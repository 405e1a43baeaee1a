// Whether a folder's network and process are those of a job: every field that differs, by the job's name for it.

import type { JobSpec } from "../config/schema.ts";
import { type DiffusersConfig, diffusersConfig } from "../models/diffusers.ts";
import { CODEBOOKS, drawsImageCodes, givesImages, NETWORKS, plays } from "../models/index.ts";
import { unetConfig } from "../models/of-job.ts";
import { AUGMENT_WEIGHT, headsOf, levelChannels, type UnetConfig } from "../models/unet-config.ts";
import type { ModelFolder } from "./read.ts";

/** What each field of a UNet2DModel is in a job. Fields that follow from another one are left out. */
const FIELDS: Partial<Record<keyof DiffusersConfig, string>> = {
  in_channels: "data.patch, model.lowRes, or the images' channels (channels of the network's input)",
  out_channels: "diffusion.variance (channels of the network's output)",
  block_out_channels: "model.channels and model.channelMult (channels of each level)",
  layers_per_block: "model.resBlocks",
  down_block_types: "model.attention and model.resample (blocks of each level)",
  downsample_type: "model.resample",
  norm_num_groups: "model.groups",
  norm_eps: "(what norms add to the variance)",
  resnet_time_scale_shift: "model.scaleShift",
};

/** @param channels of the job's images. @returns one line a field; empty when the weights fit the job. */
export function differencesOf(spec: JobSpec, channels: number, folder: ModelFolder): string[] {
  const { type = "unet", pool } = folder.own?.job.spec.model ?? {};
  if (type !== spec.model.type) return [line("model.type", type, spec.model.type)];
  const ours = diffusersConfig(unetConfig(spec, channels));
  const theirs = diffusersConfig(folder.unet);
  const found = (Object.keys(FIELDS) as (keyof DiffusersConfig)[])
    .filter((field) => JSON.stringify(ours[field]) !== JSON.stringify(theirs[field]))
    .map((field) => line(FIELDS[field]!, theirs[field], ours[field]));
  const [theirHeads, ourHeads] = headsOfBoth(folder.unet, unetConfig(spec, channels));
  if (theirHeads.join() !== ourHeads.join())
    found.push(line("model.headChannels (heads of each level with attention)", theirHeads, ourHeads));
  if (!givesImages(type) && pool !== spec.model.pool) found.push(line("model.pool", pool, spec.model.pool));
  found.push(...ownDifferences(spec, folder));
  if (!rowsFit(spec, folder))
    found.push(line("model.classes (rows of the class embedding)", folder.unet.classRows, rowsOf(spec)));
  for (const field of ["schedule", "timesteps", "predict"] as const)
    if (folder.diffusion[field] !== spec.diffusion[field])
      found.push(line(`diffusion.${field}`, folder.diffusion[field], spec.diffusion[field]));
  return found;
}

/** What of a network no UNet2DModel's config says: a folder that plume did not write has none of it. */
function ownDifferences(
  { data, model, models, adversarial, autoencoder }: JobSpec,
  { own, tensors }: ModelFolder,
): string[] {
  const theirs = own?.job.spec;
  const levels = [theirs?.model, model].map((each) => (each?.lowRes?.noise ?? 0) > 0);
  const augmented = tensors.has(AUGMENT_WEIGHT);
  const both: readonly (readonly [field: string, theirs: unknown, ours: unknown])[] = [
    ["model.text", theirs?.model.text ?? null, model.text ?? null],
    ["model.embedding", theirs?.model.embedding ?? null, model.embedding ?? null],
    ["models.text (whether there is one)", theirs?.models.text !== undefined, models.text !== undefined],
    ["model.levelBlocks", theirs?.model.levelBlocks ?? null, model.levelBlocks ?? null],
    ["model.scaleSkips", theirs?.model.scaleSkips ?? false, model.scaleSkips],
    ["model.lowRes.noise (whether it is above 0)", levels[0], levels[1]],
    ["data.augment (whether it is above 0)", augmented, augmented && data.augment > 0],
    ...(plays(model.type)
      ? (["latent", "spectralNorm"] as const).map(
          (field) => [`adversarial.${field}`, theirs?.adversarial[field], adversarial[field]] as const,
        )
      : []),
    ...(NETWORKS[model.type].gives === "bound"
      ? [["autoencoder.latentChannels", theirs?.autoencoder.latentChannels, autoencoder.latentChannels] as const]
      : []),
    ...(CODEBOOKS.includes(model.type) || drawsImageCodes(model.type)
      ? [["autoencoder.codes", theirs?.autoencoder.codes, autoencoder.codes] as const]
      : []),
    ...(model.type === "ar-prior" ? [["model.buckets", theirs?.model.buckets, model.buckets] as const] : []),
    ...(model.type === "flow" ? [["model.layers", theirs?.model.layers, model.layers] as const] : []),
  ];
  return both.filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b)).map(([field, a, b]) => line(field, a, b));
}

const line = (field: string, theirs: unknown, ours: unknown): string =>
  `${field}: the folder has ${JSON.stringify(theirs)}, the job ${JSON.stringify(ours)}`;

/** Heads at the levels where both attend: one head may be told by its width, or by none. */
function headsOfBoth(a: UnetConfig, b: UnetConfig): [number[], number[]] {
  const attends = ({ attentionLevels, channelMult }: UnetConfig, level: number) =>
    level === channelMult.length - 1 || attentionLevels.includes(level);
  const heads = (of: UnetConfig) =>
    levelChannels(of).flatMap((width, level) => (attends(a, level) && attends(b, level) ? [headsOf(of, width)] : []));
  return [heads(a), heads(b)];
}

const rowsOf = ({ model }: JobSpec): number => (model.classes > 0 ? model.classes + 1 : 0);

/** One row fewer in a folder that plume did not write: it has no row for "no label". */
function rowsFit(spec: JobSpec, { own, unet }: ModelFolder): boolean {
  return unet.classRows === rowsOf(spec) || lacksNoLabel(spec, { own, unet });
}

export const lacksNoLabel = (spec: JobSpec, { own, unet }: Pick<ModelFolder, "own" | "unet">): boolean =>
  own === null && spec.model.classes > 0 && unet.classRows === spec.model.classes;
