// The end of `plume edit`: a grid of before and after, or an array.

import type { PatchShape } from "../../../../shared/data/patch.ts";
import { writeColumns } from "../../../../shared/data/picture.ts";
import { writeArray } from "../../output.ts";
import type { Edited } from "./task.ts";

export async function writeEdited(output: string, { columns, after }: Edited, image: PatchShape): Promise<void> {
  if (output.endsWith(".npy")) return writeArray(output, after, image);
  await writeColumns(output, columns, image);
}
