// The card of a data set: what a coordinator knows of it. Only workers hold images.

import { readFileSync } from "node:fs";
import { z } from "zod";
import type { StoreAccess } from "../store/access.ts";
import type { ImageSet, ImageSetCard } from "./image-set.ts";
import { type DataSpec, openImageSet } from "./open.ts";
import type { IndexCopy } from "./sources/source.ts";

const count = z.int().min(1);
const cardSchema = z.object({
  name: z.string(),
  size: count,
  height: count,
  width: count,
  channels: count,
  classes: z.array(z.string()),
  digest: z.string(),
  captions: z.object({ lacking: z.string().nullable() }).exactOptional(),
  fallback: z.string().exactOptional(),
});

/** A data set, as far as a run must know it. */
export interface Described {
  readonly card: ImageSetCard;
  /** What the run's copy of the index should hold; null when it holds it, or the set has no index. */
  readonly index: Uint8Array | null;
  /** What is not as it was when the run's copy was made; null when nothing is, or there is none. */
  readonly change: string | null;
}

/** Opens the set for its card alone. @param indexFile the run's copy of its index, if it has one. */
export async function describeImageSet(data: DataSpec, access: StoreAccess, indexFile?: string): Promise<Described> {
  let index: Uint8Array | null = null;
  let change: string | null = null;
  const copyAt = (file: string): IndexCopy => ({
    file,
    renew(sealed) {
      index = sealed;
    },
    changed(what) {
      change = what;
    },
  });
  const set = await openImageSet(data, { access, ...(indexFile !== undefined && { copy: copyAt(indexFile) }) });
  await set.close();
  return { card: cardOf(set), index, change };
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

const cardOf = (set: ImageSet | ImageSetCard): ImageSetCard => {
  const { name, size, height, width, channels, classes, captions, digest, fallback } = set;
  return {
    ...{ name, size, height, width, channels, classes, digest },
    ...(captions && { captions }),
    ...(fallback === undefined ? {} : { fallback }),
  };
};
