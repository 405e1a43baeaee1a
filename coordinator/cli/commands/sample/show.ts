// Where drawn images go: a grid, a column a class, or an array; of an upsampler a grid of what it was given and what it drew.

import type { PatchShape } from "../../../../shared/data/patch.ts";
import { enlargedColumns, writeGrid } from "../../../../shared/data/picture.ts";
import { writeArray } from "../../output.ts";
import { writeEdited } from "../edit/show.ts";
import type { SmallImages } from "./low-res.ts";

type Pictures = PatchShape & { readonly count: number; readonly classes: readonly string[] };

/** @param columns one a class; 0 for a square. */
export async function writeDrawn(
  output: string,
  pixels: Uint8Array,
  pictures: Pictures,
  columns: number,
): Promise<void> {
  const { count, height, width, channels, classes } = pictures;
  if (output.endsWith(".npy")) return writeArray(output, pixels, pictures);
  const named = Math.min(columns, count);
  const labels = named > 0 && classes.length > 0 ? { labels: classes.slice(0, named) } : {};
  const shape = { count, height, width, channels, columns: named || Math.ceil(Math.sqrt(count)) };
  await writeGrid(output, pixels, { ...shape, ...labels });
}

/** @param size of the small images. */
export async function writeEnlarged(
  output: string,
  after: Uint8Array,
  { pixels, originals }: SmallImages,
  image: PatchShape,
  size: number,
): Promise<void> {
  const columns = [
    ...enlargedColumns(pixels, size, after, image),
    ...(originals ? [{ label: "original", pixels: originals }] : []),
  ];
  await writeEdited(output, { columns, after }, image);
}
