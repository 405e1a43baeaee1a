// The end of `plume edit`: a grid of before and after, or an array.

import type { PatchShape } from "../../../../shared/data/patch.ts";
import { writeGrid } from "../../../../shared/data/picture.ts";
import { writeArray } from "../../output.ts";
import type { Edited } from "./task.ts";

/** Rows of columns side by side where there are many: the grid stays about as wide as it is high. */
const acrossOf = (rows: number, columns: number): number => Math.ceil(Math.sqrt(rows / columns));

export async function writeEdited(output: string, { columns, after }: Edited, image: PatchShape): Promise<void> {
  if (output.endsWith(".npy")) return writeArray(output, after, image);
  const { height, width, channels } = image;
  const size = height * width * channels;
  const rows = columns[0]!.pixels.length / size;
  const across = acrossOf(rows, columns.length);
  const grid = new Uint8Array(rows * columns.length * size);
  columns.forEach(({ pixels }, c) => {
    for (let row = 0; row < rows; row++)
      grid.set(pixels.subarray(row * size, (row + 1) * size), (row * columns.length + c) * size);
  });
  const labels = Array.from({ length: across }, () => columns.map(({ label }) => label)).flat();
  await writeGrid(output, grid, {
    ...{ height, width, channels, labels },
    count: rows * columns.length,
    columns: across * columns.length,
  });
}
