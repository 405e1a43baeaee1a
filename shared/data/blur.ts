// Filters along rows and columns, in exact arithmetic. Gaussian blur is how unCLIP's first upsampler degrades what it is told.

import { exactExp } from "../rng/exact-math.ts";
import type { PatchShape } from "./patch.ts";

/** What lies outside of n pixels: the pixel at the edge, or the row read backwards, without its edge again. */
const BORDERS = {
  edge: (at: number, n: number) => Math.max(0, Math.min(n - 1, at)),
  reflect: (at: number, n: number) => Math.min(n - 1, at < 0 ? -at : at >= n ? Math.max(0, 2 * (n - 1) - at) : at),
};

/** @param values [n, H, W, C]. @param weights of a pixel and its neighbours on both sides: an odd number of them. */
export function filtered(
  values: Float32Array,
  { height, width, channels }: PatchShape,
  weights: readonly number[],
  border: keyof typeof BORDERS,
): Float32Array {
  const inside = BORDERS[border];
  const reach = (weights.length - 1) / 2;
  const along = (from: Float32Array, n: number, stride: number) =>
    Float32Array.from(from, (_, at) => {
      const position = Math.floor(at / stride) % n;
      let sum = 0;
      weights.forEach((weight, k) => {
        sum += weight * from[at + (inside(position + k - reach, n) - position) * stride]!;
      });
      return sum;
    });
  return along(along(values, width, channels), height, width * channels);
}

/** float32 [n, H, W, C], edges reflected as kornia does. @param kernel its width in pixels, odd. @param sigma in pixels. */
export function gaussianBlur(
  values: Float32Array,
  shape: PatchShape,
  { kernel, sigma }: { readonly kernel: number; readonly sigma: number },
): Float32Array {
  const raw = Array.from({ length: kernel }, (_, k) => {
    const x = (k - (kernel - 1) / 2) / sigma;
    return exactExp(-0.5 * x * x);
  });
  const sum = raw.reduce((a, b) => a + b, 0);
  return filtered(
    values,
    shape,
    raw.map((weight) => weight / sum),
    "reflect",
  );
}
