// Where images come from, and what becomes of them: a group of a job.

import { z } from "zod";
import { SOURCES } from "../data/sources/index.ts";

const positiveInt = z.int().min(1);

const usages = Object.values(SOURCES).map(({ usage }) => usage);

export const dataSchema = z.strictObject({
  source: z
    .string()
    .regex(new RegExp(`^(${Object.keys(SOURCES).join("|")})(:|$)`), `must be one of ${usages.join(", ")}`)
    .describe(usages.join(" | ")),
  imageSize: positiveInt.max(1024).default(28).describe("height and width in pixels that the source is resized to"),
  patch: z
    .union([z.literal(1), z.literal(2), z.literal(4)])
    .default(1)
    .describe("pixel-unshuffle factor: [S,S,C] becomes [S/p,S/p,C*p*p] for the network; undone on output"),
  flip: z.boolean().default(false).describe("mirror half of the training images left to right"),
  augment: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      "EDM's augmentation, of which the network is told: chance of each change to a training image; 0 for none",
    ),
  limit: positiveInt.optional().describe("use only the first N samples"),
  onError: z
    .enum(["fail", "skip"])
    .default("fail")
    .describe(
      "a sample that cannot be decoded: fail the job, or use the next one by id that can, and note it in the ledger",
    ),
  cacheMiB: z
    .int()
    .min(0)
    .default(2048)
    .describe("most that the workers of a host keep on disk of what they read from an object store; 0 for nothing"),
  cacheDir: z.string().min(1).optional().describe("folder of the cache of cacheMiB; ~/.cache/plume/data when absent"),
});
