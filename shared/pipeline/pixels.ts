// Pixels as a network sees them, [n, H / p, W / p, C p p] in [-1, 1], and random numbers of that shape: image k's from streams
// keyed by k.

import * as tf from "@tensorflow/tfjs-core";
import { type PatchShape, shuffle, unshuffle } from "../data/patch.ts";
import type { Random } from "../diffusion/nonequilibrium/chain.ts";
import { normals, type StreamKey, uniforms } from "../rng/stream.ts";
import { shuffleShape } from "./shape.ts";

/** uint8 [n, H, W, C] to float32 in [-1, 1], not yet unshuffled. */
export function scaled(pixels: Uint8Array): Float32Array {
  const floats = new Float32Array(pixels.length);
  for (let k = 0; k < pixels.length; k++) floats[k] = pixels[k]! / 127.5 - 1;
  return floats;
}

/** float32 [n, H, W, C], unshuffled. */
export const seen = (floats: Float32Array, image: PatchShape, patch: number): Float32Array =>
  patch === 1 ? floats : unshuffle(floats, image, patch, new Float32Array(floats.length));

/** The way back: x * 127.5 + 127.5, rounded and clamped, uint8 [n, H, W, C]. */
export function shown(floats: Float32Array, image: PatchShape, patch: number): Uint8Array {
  const patched = Uint8Array.from(floats, (v) => Math.max(0, Math.min(255, Math.floor(v * 127.5 + 128))));
  return shuffle(patched, image, patch, new Uint8Array(patched.length));
}

/** float32 [n, H / p, W / p, C p p]. @param image as people see it. @param indices one an image: uint32. */
export function imageRandom(
  key: Omit<StreamKey, "index">,
  indices: readonly number[],
  image: PatchShape,
  patch: number,
): Random {
  const { height, width, channels } = shuffleShape(image, patch);
  const size = height * width * channels;
  const drawn = (draw: (key: StreamKey, n: number) => ArrayLike<number>) => (): tf.Tensor4D => {
    const flat = new Float32Array(indices.length * size);
    indices.forEach((index, i) => flat.set(draw({ ...key, index }, size), i * size));
    return tf.tensor4d(flat, [indices.length, height, width, channels]);
  };
  return { normals: drawn(normals), uniforms: drawn(uniforms) };
}
