// NumPy's .npz: images as arr_0 or images, uint8 [n, H, W, C] or [n, H, W]; labels, if any, as arr_1 or labels, [n].
// guided-diffusion's reference and sample batches have this form.

import { readFile } from "node:fs/promises";
import { unzipSync } from "fflate";
import { PlumeError } from "../../errors.ts";
import { memorySet } from "../memory-set.ts";
import { type Broken, decodeNpy, imagesOf, labelsOf } from "../npy.ts";
import { resizeAll } from "../resize.ts";
import type { Source } from "./source.ts";

const MOST_CLASSES = 100_000;

export const npz: Source = {
  usage: "npz:FILE",
  about: "NumPy arrays: images (arr_0, uint8), labels (arr_1)",
  async open(file, { imageSize }) {
    const broken = (why: string) =>
      new PlumeError("INVALID_ARGUMENT", `${file} is no image set: ${why}`, {
        remedy: "write it by np.savez(file, images, labels) with images as uint8 [n, height, width, channels]",
      });
    const bytes = await readFile(file).catch((cause: Error) => {
      const remedy = "name a readable file: npz:FILE";
      throw new PlumeError("NOT_FOUND", `cannot read ${file}: ${cause.message}`, { remedy, cause });
    });
    const arrays = unzipped(bytes, broken);
    const named = (...names: string[]) => names.map((name) => arrays[`${name}.npy`]).find((npy) => npy !== undefined);
    const images = named("images", "arr_0");
    if (!images) throw broken(`it has no images and no arr_0, only ${Object.keys(arrays).join(", ") || "nothing"}`);
    const { n, height, width, channels, pixels } = imagesOf(decodeNpy(images, broken), broken);
    const given = named("labels", "arr_1");
    const labels = given ? labelsOf(decodeNpy(given, broken), n, MOST_CLASSES, broken) : null;
    return memorySet({
      name: `npz:${file}`,
      pixels: resizeAll(pixels, height, width, channels, imageSize),
      labels,
      height: imageSize,
      width: imageSize,
      channels,
      classes: labels ? Array.from({ length: Math.max(...labels) + 1 }, (_, k) => String(k)) : [],
    });
  },
};

function unzipped(bytes: Uint8Array, broken: Broken): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes);
  } catch (error) {
    throw broken((error as Error).message);
  }
}
