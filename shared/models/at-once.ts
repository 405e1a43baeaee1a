// What networks share that make an image of z at once.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import type { Forward, Generator, Network } from "../nn/network.ts";

/** The labels that a network of classes needs, int32 [B]. */
export function given(y: tf.Tensor1D | null, classes: number): tf.Tensor1D {
  if (y) return y;
  throw new PlumeError("INVALID_ARGUMENT", `a network of ${classes} classes was given no labels`, {
    remedy: "pass one label an image",
  });
}

/** Of z as [B, 1, 1, latent]. */
export const forwardOf =
  (latent: number, generate: Generator["generate"]): Network["forward"] =>
  (f: Forward, { x, y }) =>
    generate(f, tf.reshape(x, [-1, latent]) as tf.Tensor2D, y);
