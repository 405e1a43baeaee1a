// A micro-batch's images and labels as training shows them.

import type { PatchShape } from "../data/patch.ts";
import { PlumeError } from "../errors.ts";
import { scaled, seen } from "./pixels.ts";

/** uint8 [n, H, W, C] to [-1, 1], mirrored where flips[i] < 1/2, unshuffled: float32 [n, h, w, c]. */
export function normalise(
  pixels: Uint8Array,
  image: PatchShape,
  patch: number,
  flips: Float64Array | null = null,
): Float32Array {
  const { height, width, channels } = image;
  const floats = scaled(pixels);
  flips?.forEach((u, i) => {
    if (u < 0.5)
      mirror(floats.subarray(i * height * width * channels, (i + 1) * height * width * channels), width, channels);
  });
  return seen(floats, image, patch);
}

function mirror(image: Float32Array, width: number, channels: number): void {
  const row = width * channels;
  for (let start = 0; start < image.length; start += row) {
    const copy = image.slice(start, start + row);
    for (let x = 0; x < width; x++)
      image.set(copy.subarray((width - 1 - x) * channels, (width - x) * channels), start + x * channels);
  }
}

/** Classifier-free guidance (Ho and Salimans 2022): a share of the labels becomes "none", the row behind the classes. */
export function droppedLabels(labels: Int32Array, classes: number, u: Float64Array, share: number): Int32Array {
  return labels.map((label, i) => {
    if (label < 0 || label >= classes)
      throw new PlumeError("INVALID_ARGUMENT", `label ${label} is outside the model's ${classes} classes`, {
        remedy: "set model.classes to the number of the data set's classes",
      });
    return u[i]! < share ? classes : label;
  });
}
