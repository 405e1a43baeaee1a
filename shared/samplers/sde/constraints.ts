// Images of which something is known: Song et al. 2021, App. I. What is known of x_t is x_0's own, noised to t.

import * as tf from "@tensorflow/tfjs-core";
import type { Level } from "../../diffusion/parameterization.ts";
import type { Update } from "./update.ts";

type T = tf.Tensor;

/** @param z standard normal, of x's shape. */
export type Constrain = (update: Update, level: Level, z: T) => Update;

/** A known part, and the x that a walk begins with, given a sample of the prior. */
interface Known {
  readonly start: (prior: T) => T;
  readonly constrain: Constrain;
}

/** @param data float32 [B, H, W, C]. @param mask 1 where it is known, 0 elsewhere; broadcast. Both stay the caller's. */
export const inpainting = (data: T, mask: T): Known => ({
  start: (prior) => merged(prior, data, mask),
  constrain: keeping(
    data,
    mask,
    (x) => x,
    (x) => x,
  ),
});

/** @param grey float32 [B, H, W, 3] with equal channels; stays the caller's. */
export function colorization(grey: T): Known {
  const known = () => decouple(grey);
  const mask = () => tf.tensor1d([1, 0, 0]);
  return {
    // score_sde masks the prior's own channels, and not those of the grey basis.
    start: (prior) =>
      tf.tidy(() => couple(tf.add(tf.mul(known(), mask()), decouple(tf.mul(prior, tf.sub(1, mask())))))),
    constrain: (update, level, z) => keeping(known(), mask(), decouple, couple)(update, level, z),
  };
}

/** Replaces what is known, in the basis that `into` leads to and `back` from. */
const keeping =
  (data: T, mask: T, into: (x: T) => T, back: (x: T) => T): Constrain =>
  ({ x, mean }, { alpha, sigma }, z) => {
    const known = tf.mul(data, alpha);
    return {
      x: back(merged(into(x), tf.add(known, tf.mul(z, sigma)), mask)),
      mean: back(merged(into(mean), known, mask)),
    };
  };

const merged = (x: T, known: T, mask: T): T => tf.tidy(() => tf.add(tf.mul(x, tf.sub(1, mask)), tf.mul(known, mask)));

const [third, half, sixth] = [Math.sqrt(1 / 3), Math.sqrt(1 / 2), Math.sqrt(1 / 6)];

/** Orthonormal, its first vector grey: channels by coordinates. */
const BASIS = [
  [third, -2 * sixth, 0],
  [third, sixth, half],
  [third, sixth, -half],
];

const turned = (x: T, transposed: boolean): T =>
  tf.reshape(tf.matMul(tf.reshape(x, [-1, 3]), tf.tensor2d(BASIS), false, transposed), x.shape);

const decouple = (x: T): T => turned(x, false);
const couple = (x: T): T => turned(x, true);
