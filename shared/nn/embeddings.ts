// Embeddings of time steps and noise levels, in the conventions of the field. Frequencies are computed in float64 by
// exact operations; sines and cosines of the products by the device. All return float32 [B, dim].

import * as tf from "@tensorflow/tfjs-core";
import { exactPow } from "../rng/exact-math.ts";

/** [cos | sin] of t maxPeriod^(-i / half), zero-padded if dim is odd: guided-diffusion's timestep_embedding. */
export function cosSinEmbedding(t_B: tf.Tensor1D, dim: number, maxPeriod = 10_000): tf.Tensor2D {
  const half = Math.floor(dim / 2);
  return waves(
    t_B,
    range(half, (i) => exactPow(maxPeriod, -i / half)),
    dim,
    "cos|sin",
  );
}

/** [sin | cos] of t 10000^(-i / (half - 1)): DDPM's get_timestep_embedding. */
export function sinCosEmbedding(t_B: tf.Tensor1D, dim: number): tf.Tensor2D {
  const half = Math.floor(dim / 2);
  return waves(
    t_B,
    range(half, (i) => exactPow(10_000, -i / (half - 1))),
    dim,
    "sin|cos",
  );
}

/** EDM's PositionalEmbedding: [cos | sin], with or without the endpoint. */
export function positionalEmbedding(
  x_B: tf.Tensor1D,
  dim: number,
  { maxPositions = 10_000, endpoint = false } = {},
): tf.Tensor2D {
  const half = dim / 2;
  return waves(
    x_B,
    range(half, (i) => exactPow(1 / maxPositions, i / (half - (endpoint ? 1 : 0)))),
    dim,
    "cos|sin",
  );
}

/** Waves of 2 pi times given frequencies: EDM's FourierEmbedding is [cos | sin], NCSN++'s GaussianFourierProjection [sin | cos]. */
export function fourierEmbedding(
  x_B: tf.Tensor1D,
  frequencies: readonly number[],
  order: "cos|sin" | "sin|cos",
): tf.Tensor2D {
  return waves(
    x_B,
    frequencies.map((f) => 2 * Math.PI * f),
    2 * frequencies.length,
    order,
  );
}

function waves(
  t_B: tf.Tensor1D,
  frequencies: readonly number[],
  dim: number,
  order: "cos|sin" | "sin|cos",
): tf.Tensor2D {
  const angles = tf.mul(tf.reshape(t_B, [-1, 1]), tf.tensor2d([...frequencies], [1, frequencies.length])); // [B, half]
  const [cos, sin] = [tf.cos(angles), tf.sin(angles)] as [tf.Tensor2D, tf.Tensor2D];
  const both = tf.concat(order === "cos|sin" ? [cos, sin] : [sin, cos], 1);
  return both.shape[1] === dim
    ? both
    : (tf.pad(both, [
        [0, 0],
        [0, dim - both.shape[1]],
      ]) as tf.Tensor2D);
}

const range = (n: number, f: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => f(i));
