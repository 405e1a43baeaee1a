// Gradients against finite differences, along a direction: (L(x + h v) - L(x - h v)) / 2h against <grad L, v>, with
// L = <w, f(x)> summed in float64. Directions and weights are a fixed formula: no random numbers, no lucky seeds.

import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";

/** Values in [-1, 1) that look random: a fixed formula of the index and a seed. */
export const pattern = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => (2 * ((31 * i * i + 7919 * i + 12345 * seed) % 10007)) / 10007 - 1);

export const patterned = (shape: readonly number[], seed: number): tf.Tensor =>
  tf.tensor(
    pattern(
      shape.reduce((n, k) => n * k, 1),
      seed,
    ),
    [...shape],
  );

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);

/**
 * How far the gradient of f with respect to each of `xs` is from finite differences, relative to the size of the
 * directional derivative that the gradient's own direction has: one number for each x.
 * @param step h; float32 leaves an error of about 1e-7 / h, curvature one of h^2.
 */
export function gradientErrors(f: (...xs: tf.Tensor[]) => tf.Tensor, xs: readonly tf.Tensor[], step = 1e-2): number[] {
  const y = tf.tidy(() => f(...xs));
  const weights = pattern(y.size, 17);
  const w = tf.tensor(weights, y.shape);
  const { grads } = tf.valueAndGrads((...inputs: tf.Tensor[]) => tf.sum(tf.mul(f(...inputs), w)) as tf.Scalar)([...xs]);
  const loss = (inputs: tf.Tensor[]) => dot(tf.tidy(() => f(...inputs)).dataSync(), weights);
  return xs.map((x, k) => {
    const direction = pattern(x.size, 100 + k);
    const v = tf.tensor(direction, x.shape);
    const moved = (h: number) => xs.map((other, j) => (j === k ? tf.add(x, tf.mul(v, h)) : other));
    const numeric = (loss(moved(step)) - loss(moved(-step))) / (2 * step);
    const gradient = grads[k]!.dataSync();
    const scale = Math.sqrt(dot(gradient, gradient) * dot(direction, direction)) / Math.sqrt(x.size);
    return Math.abs(numeric - dot(gradient, direction)) / Math.max(scale, 1e-3);
  });
}

/** A tensor in a flat vector. */
interface Part {
  readonly offset: number;
  readonly size: number;
}

/**
 * How far a loss is from rising by the squared norm of a part of its gradient along that part, relative to it; null where the norm is
 * below `least`, which float32 cannot resolve.
 * @param lossAt the loss at other parameters. @param step the length of the way, to both sides.
 */
export async function slopeError(
  lossAt: (flat: Float32Array) => Promise<number>,
  flat: Float32Array,
  gradient: Float32Array,
  { offset, size }: Part,
  { least, step }: { readonly least: number; readonly step: number },
): Promise<number | null> {
  const part = gradient.slice(offset, offset + size);
  const norm2 = dot(part, part);
  if (norm2 < least) return null;
  const h = step / Math.sqrt(norm2);
  const at = (sign: number) => {
    const moved = flat.slice();
    part.forEach((g, k) => {
      moved[offset + k]! += sign * h * g;
    });
    return lossAt(moved);
  };
  const slope = ((await at(1)) - (await at(-1))) / (2 * h);
  return Math.abs(slope - norm2) / norm2;
}

/** Each of the tensors has the slope that the loss has along its part of the gradient, or too little of one to be told. */
export async function expectSlopes(
  lossAt: (flat: Float32Array) => Promise<number>,
  flat: Float32Array,
  gradient: Float32Array,
  tensors: readonly (Part & { readonly name: string })[],
): Promise<void> {
  for (const tensor of tensors) {
    const error = await slopeError(lossAt, flat, gradient, tensor, { least: 1e-5, step: 2e-3 });
    expect(error ?? 0, tensor.name).toBeLessThan(0.05);
  }
}
