// The card of a data set: what a coordinator knows of it. Only workers hold images.

import { readFileSync } from "node:fs";
import { z } from "zod";
import type { ImageSet, ImageSetCard } from "./image-set.ts";
import { type DataSpec, openImageSet } from "./open.ts";

const count = z.int().min(1);
const cardSchema = z.object({
  name: z.string(),
  size: count,
  height: count,
  width: count,
  channels: count,
  classes: z.array(z.string()),
  digest: z.string(),
  fallback: z.string().exactOptional(),
});

/** Opens the set for its card alone. */
export async function describeImageSet(data: DataSpec): Promise<ImageSetCard> {
  const set = await openImageSet(data);
  await set.close();
  return cardOf(set);
}

/** A run's own note of its data set; null when there is none that can be read. */
export function readCard(file: string): ImageSetCard | null {
  try {
    return cardSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return null;
  }
}

export const writtenCard = (card: ImageSetCard): string => `${JSON.stringify(cardOf(card), null, 2)}\n`;

const cardOf = ({ name, size, height, width, channels, classes, digest, fallback }: ImageSet | ImageSetCard) => ({
  ...{ name, size, height, width, channels, classes, digest },
  ...(fallback === undefined ? {} : { fallback }),
});
