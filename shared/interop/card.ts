// plume.json in an exported folder: what the other files do not say, for whoever reads it, plume or not.

import { z } from "zod";
import { WEIGHTS } from "../config/models.ts";
import type { Job } from "../config/schema.ts";
import { denoises } from "../models/index.ts";
import { PLUME_VERSION } from "../version.ts";

export const CARD = "plume.json";

const cardSchema = z.strictObject({
  version: z.literal(1),
  plume: z.string(),
  job: z.string(),
  /** Committed steps. */
  step: z.int().min(0),
  weights: z.enum(WEIGHTS),
  /** The weights' file in this folder, and what it holds. */
  file: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  imageSet: z.strictObject({
    name: z.string(),
    size: z.int(),
    digest: z.string(),
    height: z.int().min(1),
    width: z.int().min(1),
    channels: z.int().min(1),
    classes: z.array(z.string()),
  }),
  /** Pixels are p x p blocks of the images, as channels. */
  patch: z.int().min(1),
  /** In words: which pixel a channel is. */
  channels: z.string(),
  /** Labels 0 to classes - 1; noLabel is the row of the class embedding that means none. */
  classes: z.int().min(0),
  noLabel: z.int().nullable(),
  labelDrop: z.number(),
});

export type Card = z.infer<typeof cardSchema>;

export interface CardInput extends Pick<Card, "step" | "weights" | "file" | "sha256" | "imageSet"> {
  readonly job: Job;
}

export function cardOf({ job, imageSet, ...rest }: CardInput): Card {
  const { data, model, diffusion } = job.spec;
  const { name, size, digest, height, width, channels, classes } = imageSet;
  const p = data.patch;
  return {
    version: 1,
    plume: PLUME_VERSION,
    job: job.metadata.name,
    ...rest,
    imageSet: { name, size, digest, height, width, channels, classes: [...classes] },
    patch: p,
    channels:
      p === 1
        ? `pixel (y, x) of the network is pixel (y, x) of the image, in [-1, 1]`
        : `channel (dy * ${p} + dx) * ${channels} + c of the network's pixel (y, x) is channel c of the image's pixel (${p} y + dy, ${p} x + dx), in [-1, 1]`,
    classes: model.classes,
    noLabel: denoises(model.type) && model.classes > 0 ? model.classes : null,
    labelDrop: diffusion.labelDrop,
  };
}

/** @returns the card, or why it is none. */
export function parseCard(value: unknown): Card | string {
  const parsed = cardSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return `${issue?.path.join(".")}: ${issue?.message}`;
}
