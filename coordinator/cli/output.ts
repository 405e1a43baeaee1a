// Where a command's pictures go.

import { existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { encodeNpy } from "../../shared/data/npy.ts";
import type { PatchShape } from "../../shared/data/patch.ts";
import { PlumeError } from "../../shared/errors.ts";

export const OUTPUT_OPTION = [
  "-o, --output <file>",
  "FILE.png for a grid, FILE.npy for uint8 [n, height, width, channels]",
] as const;

/** Before the minutes of sampling, not after. @throws PlumeError for a file that could not be written. */
export function checkOutput(output: string): void {
  if (!/\.(png|npy)$/.test(output))
    throw new PlumeError("INVALID_ARGUMENT", `-o ${output} is neither .png nor .npy`, {
      remedy: "for example -o grid.png",
    });
  const folder = dirname(resolve(output));
  if (!existsSync(folder))
    throw new PlumeError("NOT_FOUND", `-o ${output}: there is no folder ${folder}`, {
      remedy: "create it first, or name another file",
    });
}

/** @param pixels uint8 [n, height, width, channels]. */
export function writeArray(output: string, pixels: Uint8Array, { height, width, channels }: PatchShape): void {
  const n = pixels.length / (height * width * channels);
  writeFileSync(output, encodeNpy(pixels, [n, height, width, channels]));
}
