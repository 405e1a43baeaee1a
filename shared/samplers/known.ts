// Images of which something is known: Song et al. 2021, App. I. What is known of x_t is x_0's own, noised to t. What is known is
// always what an orthogonal projection P keeps, so that P of noise is noise.

import * as tf from "@tensorflow/tfjs-core";
import type { Level } from "../diffusion/parameterization.ts";

type T = tf.Tensor;

export interface Known {
  /** x with P (alpha x_0 + sigma z) in place of P x: float32 [B, H, W, C]. @param z standard normal, of x's shape; without it sigma is 0. */
  keep(x: T, level: Level, z?: T): T;
}

/** The level of images. */
export const CLEAN: Level = { alpha: 1, sigma: 0 };

/** @param data float32 [B, H, W, C]. @param mask 1 where it is known, 0 elsewhere; broadcast. Both stay the caller's. */
export const inpainting = (data: T, mask: T): Known => ({
  keep: (x, level, z) => merged(x, noised(data, level, z), mask),
});

/** The mean of the channels, as a coordinate of an orthonormal basis. @param data float32 [B, H, W, 3 p p]; stays the caller's. */
export const colorization = (data: T): Known => ({
  keep: (x, level, z) => {
    const known = noised(decoupled(data), level, z && colours(z));
    return coupled(merged(decoupled(x), known, tf.tensor1d([1, 0, 0])), x.shape);
  },
});

/**
 * The means of squares of `factor` pixels a side: ILVR, Choi et al. 2021, Eq. 8, with these means as its low-pass filter; the
 * A^+ A of Wang et al. 2023, Section 3.3. @param data float32 [B, H / p, W / p, C p p], pixels unshuffled by `patch`; stays the caller's.
 */
export const averaging = (data: T, factor: number, patch: number): Known => ({
  keep: (x, level, z) => tf.add(x, averaged(tf.sub(noised(data, level, z), x), factor, patch)),
});

const noised = (data: T, { alpha, sigma }: Level, z?: T): T => {
  const mean = tf.mul(data, alpha);
  return z ? tf.add(mean, tf.mul(z, sigma)) : mean;
};

const merged = (x: T, known: T, mask: T): T => tf.add(tf.mul(x, tf.sub(1, mask)), tf.mul(known, mask));

const [third, half, sixth] = [Math.sqrt(1 / 3), Math.sqrt(1 / 2), Math.sqrt(1 / 6)];

/** Orthonormal, its first vector grey: channels by coordinates. */
const BASIS = [
  [third, -2 * sixth, 0],
  [third, sixth, half],
  [third, sixth, -half],
];

/** The colour of a pixel is the innermost axis, whether pixels are unshuffled or not. */
const colours = (x: T): tf.Tensor2D => tf.reshape(x, [-1, 3]);

const decoupled = (x: T): T => tf.matMul(colours(x), tf.tensor2d(BASIS));
const coupled = (x: T, shape: number[]): T =>
  tf.reshape(tf.matMul(x as tf.Tensor2D, tf.tensor2d(BASIS), false, true), shape);

/** Every pixel as the mean of its square. */
function averaged(x: T, factor: number, patch: number): T {
  const plain = (patch === 1 ? x : tf.depthToSpace(x as tf.Tensor4D, patch)) as tf.Tensor4D;
  const [B, H, W, C] = plain.shape;
  const low = tf.avgPool(plain, factor, factor, "valid");
  const means = tf.image.resizeNearestNeighbor(low, [H, W]);
  if (patch === 1) return means;
  const cells = tf.reshape(means, [B, H / patch, patch, W / patch, patch, C]);
  return tf.reshape(tf.transpose(cells, [0, 1, 3, 2, 4, 5]), x.shape);
}
