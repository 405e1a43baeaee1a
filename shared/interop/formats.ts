// The table of formats: what files each consists of, made from one set of weights.

import { createHash } from "node:crypto";
import { encodeSafetensors } from "../checkpoint/safetensors.ts";
import { dumpJob } from "../config/load.ts";
import type { Weights } from "../config/models.ts";
import type { Job, JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { NamedValues } from "../models/adm-names.ts";
import { clipConfig } from "../models/clip-config.ts";
import { clipModelConfig, fromClipModel, toClipModel } from "../models/clip-names.ts";
import { diffusersConfig, fromDiffusers, toDiffusers } from "../models/diffusers.ts";
import { autoencoderConfig } from "../models/diffusers-autoencoder.ts";
import { unetConfig } from "../models/of-job.ts";
import { AUGMENT_WEIGHT } from "../models/unet-config.ts";
import { vaeConfig } from "../models/vae.ts";
import { WORDS } from "../scenes/words.ts";
import { CARD, type Card, cardOf } from "./card.ts";
import { schedulerConfig } from "./scheduler.ts";

export interface ModelWeights {
  readonly job: Job;
  readonly step: number;
  readonly weights: Weights;
  readonly imageSet: Card["imageSet"];
  /** plume's names, shapes and axes. */
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: Float32Array;
  }[];
}

interface Format {
  readonly about: string;
  /** The weights' file. */
  readonly file: string;
  /** What of a model it has no form of; nothing when absent. */
  lacks?(model: JobSpec["model"]): string | undefined;
  /** A tensor of the file, as plume has it; as it is when absent. */
  from?(tensor: NamedValues): NamedValues;
  /** By path in the folder. */
  files(model: ModelWeights): Record<string, Uint8Array>;
}

export const JOB_FILE = "job.yaml";
export const UNET_CONFIG = "unet/config.json";
export const SCHEDULER_CONFIG = "scheduler/scheduler_config.json";

const diffusers: Format = {
  about: "a folder that Python's diffusers loads: UNet2DModel in unet/, DDPMScheduler in scheduler/",
  file: "unet/diffusion_pytorch_model.safetensors",
  from: fromDiffusers,
  lacks: ({ type, text, embedding, lowRes, levelBlocks, scaleSkips }) => {
    if (type !== "unet") return `a ${type}`;
    if (text) return "a network that reads captions";
    if (embedding !== undefined) return "a network that is told CLIP's embeddings";
    if (levelBlocks || scaleSkips) return "an Efficient U-Net (model.levelBlocks, model.scaleSkips)";
    return lowRes && lowRes.noise > 0 ? "an upsampler that is told a level of noise" : undefined;
  },
  files: (model) => ({
    [diffusers.file]: encodeSafetensors(drawn(model).map(toDiffusers), { format: "pt" }),
    [UNET_CONFIG]: json(
      diffusersConfig(
        unetConfig(model.job.spec, model.imageSet.channels),
        model.imageSet.height / model.job.spec.data.patch,
      ),
    ),
    [SCHEDULER_CONFIG]: json(schedulerConfig(model.job.spec.diffusion)),
    ...(fitsPipeline(model) ? { "model_index.json": json(PIPELINE) } : {}),
  }),
};

/** What UNet2DModel has too, which draws the same: it is told of no augmentation. */
const drawn = ({ tensors }: ModelWeights): ModelWeights["tensors"] =>
  tensors.filter(({ name }) => name !== AUGMENT_WEIGHT);

/** DDPMPipeline calls the network with x_t alone, and takes its pixels for an image's. */
const fitsPipeline = ({ job: { spec } }: ModelWeights): boolean =>
  spec.model.classes === 0 && spec.data.patch === 1 && !spec.model.lowRes;

const PIPELINE = {
  _class_name: "DDPMPipeline",
  _diffusers_version: "0.27.2",
  unet: ["diffusers", "UNet2DModel"],
  scheduler: ["diffusers", "DDPMScheduler"],
};

const autoencoder: Format = {
  about: "a folder that Python's diffusers loads: AutoencoderKL in vae/",
  file: "vae/diffusion_pytorch_model.safetensors",
  from: fromDiffusers,
  lacks: ({ type, classes }) => {
    if (type !== "vae") return `a ${type}`;
    return classes > 0 ? "a vae that is told classes" : undefined;
  },
  files: ({ job: { spec }, imageSet, tensors }) => ({
    [autoencoder.file]: encodeSafetensors(tensors.map(toDiffusers), { format: "pt" }),
    "vae/config.json": json(autoencoderConfig(vaeConfig(spec, imageSet))),
  }),
};

/** Pixels are in [-1, 1] as plume has them, and images of their own size. */
const PREPROCESSOR = {
  image_processor_type: "CLIPImageProcessor",
  ...{ do_resize: false, do_center_crop: false, do_rescale: true, rescale_factor: 1 / 255 },
  ...{ do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
};

const clipModel: Format = {
  about: "of a clip: a folder that Python's transformers loads: CLIPModel in clip/, with the numbers of its words",
  file: "clip/model.safetensors",
  lacks: ({ type }) => (type === "clip" ? undefined : `a ${type}`),
  from: fromClipModel,
  files({ job: { spec }, imageSet, tensors }) {
    const { height, channels } = imageSet;
    const config = clipConfig(spec, imageSet);
    const words = { "": 0, ...Object.fromEntries(WORDS.map((word, k) => [word, k + 1])) };
    const { tokens } = config.text;
    return {
      [clipModel.file]: encodeSafetensors(
        tensors.map((tensor) => toClipModel(tensor, channels)),
        { format: "pt" },
      ),
      "clip/config.json": json(clipModelConfig(config, { height, channels, patch: spec.data.patch })),
      "clip/preprocessor_config.json": json(PREPROCESSOR),
      "clip/vocab.json": json({ ...words, "<|startoftext|>": tokens, "<|endoftext|>": tokens + 1 }),
    };
  },
};

const safetensors: Format = {
  about: "one file of plain names, in plume's order of axes (HWIO, [in, out])",
  file: "model.safetensors",
  files: ({ job, step, weights, tensors }) => ({
    [safetensors.file]: encodeSafetensors(tensors, {
      format: "plume",
      job: job.metadata.name,
      step: String(step),
      weights,
      axes: "HWIO, [in, out]",
    }),
  }),
};

export const FORMATS: Readonly<Record<"diffusers" | "diffusers-vae" | "clip" | "safetensors", Format>> = {
  diffusers,
  "diffusers-vae": autoencoder,
  clip: clipModel,
  safetensors,
};
export type FormatName = keyof typeof FORMATS;

/** What other programs read, where there is such a form of it. */
function formatFor(model: JobSpec["model"]): string {
  const [name] = Object.entries(FORMATS).find(([, { lacks }]) => lacks && lacks(model) === undefined) ?? [];
  return name ?? "safetensors, which holds any network";
}

/** Everything that the folder will hold. @throws PlumeError INVALID_ARGUMENT for a network that the format has no form of. */
export function filesOf(name: FormatName, model: ModelWeights): Record<string, Uint8Array> {
  const { file, files, lacks } = FORMATS[name];
  const lacking = lacks?.(model.job.spec.model);
  if (lacking !== undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--format ${name} has no form of ${lacking}: ${FORMATS[name].about}`, {
      remedy: `use --format ${formatFor(model.job.spec.model)}`,
    });
  const written = files(model);
  const { job, step, weights, imageSet } = model;
  const sha256 = createHash("sha256").update(written[file]!).digest("hex");
  return {
    ...written,
    [CARD]: json(cardOf({ job, step, weights, imageSet, file, sha256 })),
    [JOB_FILE]: Buffer.from(dumpJob(job)),
  };
}

const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
