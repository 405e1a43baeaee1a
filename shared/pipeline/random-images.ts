// Random numbers of images, each image's from a stream of its own: they do not depend on what it is computed beside.

import * as tf from "@tensorflow/tfjs-core";
import type { PatchShape } from "../data/patch.ts";
import type { Random } from "../diffusion/nonequilibrium/chain.ts";
import { normals, type StreamKey, uniforms } from "../rng/stream.ts";

/** @param shape of an image. @param key of all of them; its index is the image's. */
export function randomOf(
  indices: readonly number[],
  { height, width, channels }: PatchShape,
  key: Omit<StreamKey, "index">,
): Random {
  const size = height * width * channels;
  const drawn = (draw: (key: StreamKey, n: number) => ArrayLike<number>) => (): tf.Tensor => {
    const flat = new Float32Array(indices.length * size);
    indices.forEach((index, i) => flat.set(draw({ ...key, index }, size), i * size));
    return tf.tensor4d(flat, [indices.length, height, width, channels]);
  };
  return { normals: drawn(normals), uniforms: drawn(uniforms) };
}
