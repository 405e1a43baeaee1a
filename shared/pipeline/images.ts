// A micro-batch's images and labels as training shows them.

import { mirror } from "../augmentation/mirror.ts";
import type { PatchShape } from "../data/patch.ts";
import { PlumeError } from "../errors.ts";
import { scaled, seen } from "./pixels.ts";

/**
 * uint8 [n, H, W, C] to [-1, 1], changed, unshuffled: float32 [n, h, w, c].
 * @param change of image i, float32 [H, W, C], in place.
 */
export function normalise(
  pixels: Uint8Array,
  image: PatchShape,
  patch: number,
  change: (one: Float32Array, i: number) => void = () => {},
): Float32Array {
  const floats = scaled(pixels);
  const size = image.height * image.width * image.channels;
  for (let i = 0; i * size < floats.length; i++) change(floats.subarray(i * size, (i + 1) * size), i);
  return seen(floats, image, patch);
}

/** uint8 [n, H, W, C], mirrored where flips[i] < 1/2; as they are without flips. */
export function mirrored(pixels: Uint8Array, image: PatchShape, flips: Float64Array | null): Uint8Array {
  if (!flips) return pixels;
  const images = pixels.slice();
  const size = image.height * image.width * image.channels;
  flips.forEach((u, i) => {
    if (u < 0.5) mirror(images.subarray(i * size, (i + 1) * size), image);
  });
  return images;
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
