// A folder of weights, read: one that plume exported, or one of diffusers' that plume has never seen.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeSafetensors, type NamedTensor } from "../checkpoint/safetensors.ts";
import { parseJob } from "../config/load.ts";
import type { Job } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import { type DiffusersConfig, unetOfDiffusers } from "../models/diffusers.ts";
import { unetConfig } from "../models/of-job.ts";
import type { UnetConfig } from "../models/unet-config.ts";
import { CARD, type Card, parseCard } from "./card.ts";
import { FORMATS, type FormatName, JOB_FILE, SCHEDULER_CONFIG, UNET_CONFIG } from "./formats.ts";
import { diffusionOf, type FolderDiffusion } from "./scheduler.ts";
import { checkUnetJson } from "./unet-json.ts";

export interface ModelFolder {
  readonly path: string;
  readonly format: FormatName;
  /** What plume wrote beside the weights; null in a folder that it did not write. */
  readonly own: { readonly card: Card; readonly job: Job } | null;
  readonly unet: UnetConfig;
  /** Height and width of the network's input in its own pixels; null where nothing says. */
  readonly side: number | null;
  readonly diffusion: FolderDiffusion;
  /** plume's names, shapes and axes. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
}

/** Whether a path is meant as a folder of weights, and not as a run or a store. */
export const isModelFolder = (path: string): boolean =>
  existsSync(join(path, CARD)) || existsSync(join(path, UNET_CONFIG));

/**
 * @throws PlumeError NOT_FOUND for a file that is missing, DATA_LOSS for one that is not whole, FAILED_PRECONDITION
 * naming the field that plume has not.
 */
export function readModelFolder(path: string): ModelFolder {
  const own = existsSync(join(path, CARD)) ? readOwn(path) : null;
  const format = own?.format ?? "diffusers";
  const { file, from = (tensor: NamedTensor) => tensor } = FORMATS[format];
  const bytes = read(path, file);
  if (own) checkDigest(join(path, file), bytes, own.card);
  const stored = [...decodeSafetensors(bytes, join(path, file)).values()];
  const tensors = stored.map(from);
  return {
    path,
    format,
    own: own && { card: own.card, job: own.job },
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    ...(format === "diffusers" ? readConfigs(path) : ofJob(own!)),
  };
}

function readOwn(path: string): { card: Card; job: Job; format: FormatName } {
  const card = parseCard(readJson(path, CARD));
  if (typeof card === "string")
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `${join(path, CARD)} was written by another version of plume: ${card}`,
      {
        remedy: "read it with the version that its field plume names, or export it again",
      },
    );
  const format = (Object.keys(FORMATS) as FormatName[]).find((name) => FORMATS[name].file === card.file);
  if (!format)
    throw new PlumeError("FAILED_PRECONDITION", `${join(path, CARD)} names the file ${card.file}, of no known format`, {
      remedy: `export it again: plume knows ${Object.values(FORMATS)
        .map(({ file }) => file)
        .join(" and ")}`,
    });
  const job = parseJob(Buffer.from(read(path, JOB_FILE)).toString("utf8"), { file: join(path, JOB_FILE) });
  return { card, job, format };
}

type Described = Pick<ModelFolder, "unet" | "side" | "diffusion">;

function readConfigs(path: string): Described {
  const json = checkUnetJson(readJson(path, UNET_CONFIG));
  return {
    unet: unetOfDiffusers(json as Partial<DiffusersConfig>),
    side: sideOf(json.sample_size),
    diffusion: diffusionOf(readJson(path, SCHEDULER_CONFIG)),
  };
}

const ofJob = ({ card, job }: { card: Card; job: Job }): Described => ({
  unet: unetConfig(job.spec, card.imageSet.channels),
  side: card.imageSet.height / card.patch,
  diffusion: job.spec.diffusion,
});

function sideOf(size: number | readonly number[] | null | undefined): number | null {
  if (typeof size === "number") return size;
  const [height, width] = size ?? [];
  return height !== undefined && height === width ? height : null;
}

function checkDigest(file: string, bytes: Uint8Array, { sha256 }: Card): void {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256)
    throw new PlumeError(
      "DATA_LOSS",
      `${file} has sha256 ${found.slice(0, 12)}…, ${CARD} says ${sha256.slice(0, 12)}…`,
      { remedy: `export it again; to take changed weights as they are, remove ${CARD} and name the job with -f` },
    );
}

function read(path: string, file: string): Uint8Array {
  try {
    return readFileSync(join(path, file));
  } catch (cause) {
    throw new PlumeError("NOT_FOUND", `${join(path, file)} cannot be read: ${(cause as Error).message}`, {
      remedy: `a folder of weights has ${FORMATS.diffusers.file}, ${UNET_CONFIG} and ${SCHEDULER_CONFIG}, as save_pretrained writes them`,
      cause,
    });
  }
}

function readJson(path: string, file: string): unknown {
  const text = Buffer.from(read(path, file)).toString("utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PlumeError("DATA_LOSS", `${join(path, file)} is no JSON: ${(cause as Error).message}`, { cause });
  }
}
