// Pixels as the network sees them.

import { type PatchShape, unshuffle } from "../data/patch.ts";

/** uint8 [n, H, W, C] to [-1, 1], mirrored where flips[i] < 1/2, unshuffled: float32 [n, h, w, c]. */
export function normalised(
  pixels: Uint8Array,
  image: PatchShape,
  patch: number,
  flips: Float64Array | null = null,
): Float32Array {
  const { height, width, channels } = image;
  const floats = new Float32Array(pixels.length);
  for (let k = 0; k < pixels.length; k++) floats[k] = pixels[k]! / 127.5 - 1;
  flips?.forEach((u, i) => {
    if (u < 0.5)
      mirror(floats.subarray(i * height * width * channels, (i + 1) * height * width * channels), width, channels);
  });
  return patch === 1 ? floats : unshuffle(floats, image, patch, new Float32Array(floats.length));
}

function mirror(image: Float32Array, width: number, channels: number): void {
  const row = width * channels;
  for (let start = 0; start < image.length; start += row) {
    const copy = image.slice(start, start + row);
    for (let x = 0; x < width; x++)
      image.set(copy.subarray((width - 1 - x) * channels, (width - x) * channels), start + x * channels);
  }
}
