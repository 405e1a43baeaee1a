// Steps of a normalizing flow: maps with an inverse and a known determinant. Forward is from images to z. Each starts as a permutation of
// channels, so that nothing has to be initialised by data. Maps apply to x, float32 [B, H, W, C], and to what is told of its class.

import * as tf from "@tensorflow/tfjs-core";
import { dense as product } from "../nn/fused.ts";
import { conv2d, dense, type Scope } from "../nn/layers.ts";
import { sumFlat } from "../nn/log-likelihood.ts";
import type { Forward } from "../nn/network.ts";
import type { Init } from "../tensor/layout.ts";

type T4 = tf.Tensor4D;
type Matrix = tf.Tensor2D;

/** An embedding of the class, float32 [B, D]; null without classes. */
export type Told = tf.Tensor2D | null;

export interface Step {
  /** @returns the step's output, and log |det| of its Jacobian: float32 [B], or [] where it is the same for all. */
  forward(f: Forward, x: T4, told: Told): { readonly y: T4; readonly logDet: tf.Tensor };
  inverse(f: Forward, y: T4, told: Told): T4;
}

const ZEROS: Init = { kind: "zeros" };

/** 1 where it holds, else 0: float32 [C, C]. */
const matrix = (C: number, holds: (row: number, column: number) => boolean): Matrix =>
  tf.tensor2d(
    Float32Array.from({ length: C * C }, (_, k) => Number(holds(Math.floor(k / C), k % C))),
    [C, C],
  );

/** (I + N)^-1 of a strictly triangular N: (I - N)(I + N^2)(I + N^4)..., which ends as N^C is 0. */
function inverseOfUnit(N: Matrix, I: Matrix): Matrix {
  let inverse = tf.sub(I, N) as Matrix;
  let power = N;
  for (let reached = 2; reached < N.shape[0]; reached *= 2) {
    power = tf.matMul(power, power);
    inverse = tf.matMul(inverse, tf.add(I, power) as Matrix);
  }
  return inverse;
}

/**
 * Actnorm and an invertible 1x1 convolution (Kingma and Dhariwal 2018, Sections 3.1 and 3.2) as one product with a matrix: x to
 * ((x + b) e^a) P L (U + diag(e^s)), P fixed, L of ones on its diagonal: Eq. 10 and 11, with which the determinant is a sum.
 */
export function mixing(scope: Scope, C: number, pixels: number): Step {
  const names = {
    shift: scope.param("actnorm.bias", [C], ZEROS),
    scale: scope.param("actnorm.log_scale", [C], ZEROS),
    lower: scope.param("conv.lower", [C, C], ZEROS),
    upper: scope.param("conv.upper", [C, C], ZEROS),
    diagonal: scope.param("conv.log_diagonal", [C], ZEROS),
  };
  const read = (f: Forward) => ({
    I: matrix(C, (row, column) => row === column),
    // Channels from the last to the first: its own inverse.
    P: matrix(C, (row, column) => row + column === C - 1),
    L: tf.mul(
      f.param(names.lower),
      matrix(C, (row, column) => row > column),
    ) as Matrix,
    U: tf.mul(
      f.param(names.upper),
      matrix(C, (row, column) => row < column),
    ) as Matrix,
    s: f.param(names.diagonal) as tf.Tensor1D,
    a: f.param(names.scale) as tf.Tensor1D,
    b: f.param(names.shift) as tf.Tensor1D,
  });
  return {
    forward(f, x) {
      const { I, P, L, U, s, a, b } = read(f);
      const LU = tf.matMul(tf.add(I, L) as Matrix, tf.add(U, tf.mul(I, tf.exp(s))) as Matrix);
      const W = tf.mul(tf.matMul(P, LU), tf.reshape(tf.exp(a), [C, 1])) as Matrix;
      const shift = tf.reshape(tf.matMul(tf.reshape(b, [1, C]) as Matrix, W), [C]) as tf.Tensor1D;
      return { y: product(x, W, shift) as T4, logDet: tf.mul(tf.add(tf.sum(s), tf.sum(a)), pixels) };
    },
    inverse(f, y) {
      const { I, P, L, U, s, a, b } = read(f);
      // U + diag(e^s) = diag(e^s) (I + diag(e^-s) U).
      const shrunk = tf.mul(U, tf.reshape(tf.exp(tf.neg(s)), [C, 1])) as Matrix;
      const ofU = tf.mul(inverseOfUnit(shrunk, I), tf.exp(tf.neg(s))) as Matrix;
      const W = tf.mul(tf.matMul(tf.matMul(ofU, inverseOfUnit(L, I)), P), tf.exp(tf.neg(a))) as Matrix;
      return product(y, W, tf.neg(b)) as T4;
    },
  };
}

interface CouplingOptions {
  readonly channels: number;
  /** Of the network between. */
  readonly hidden: number;
  /** 1 where an image is one pixel. */
  readonly kernel: 1 | 3;
  /** D of what it is told of the class; 0 for nothing. */
  readonly told: number;
}

/**
 * An affine coupling (Dinh et al. 2017, Eq. 4 and 5): the first channels stay and say by what the others are scaled and shifted. The log
 * of the scale is a tanh with a learned factor, as in their experiments, so that one step can stretch only so far.
 */
export function coupling(scope: Scope, { channels, hidden, kernel, told: D }: CouplingOptions): Step {
  const moved = Math.floor(channels / 2);
  const kept = channels - moved;
  const first = conv2d(scope.child("conv1"), kept, hidden, kernel);
  const tell = D > 0 ? dense(scope.child("class_proj"), D, hidden) : null;
  const second = conv2d(scope.child("conv2"), hidden, hidden, 1);
  const third = conv2d(scope.child("conv3"), hidden, 2 * moved, kernel, { zero: true });
  const factor = scope.param("scale", [moved], { kind: "ones" });
  const parts = (x: T4) => tf.split(x, [kept, moved], 3) as [T4, T4];
  const sayOf = (f: Forward, a: T4, told: Told): readonly [logScale: T4, shift: T4] => {
    const h = first(f, a);
    const seen = tell && told ? (tf.add(h, tf.reshape(tell(f, told), [-1, 1, 1, hidden])) as T4) : h;
    const [raw, shift] = tf.split(third(f, tf.relu(second(f, tf.relu(seen)))), 2, 3) as [T4, T4];
    return [tf.mul(tf.tanh(raw), f.param(factor)), shift];
  };
  return {
    forward(f, x, told) {
      const [a, b] = parts(x);
      const [logScale, shift] = sayOf(f, a, told);
      const y = tf.concat([a, tf.add(tf.mul(b, tf.exp(logScale)), shift)], 3) as T4;
      return { y, logDet: sumFlat(logScale) };
    },
    inverse(f, y, told) {
      const [a, b] = parts(y);
      const [logScale, shift] = sayOf(f, a, told);
      return tf.concat([a, tf.mul(tf.sub(b, shift), tf.exp(tf.neg(logScale)))], 3) as T4;
    },
  };
}

/** 2x2 blocks of pixels as channels: float32 [B, H, W, C] to [B, H / 2, W / 2, 4 C]. Dinh et al. 2017, Section 3.6. */
export function squeeze(x: T4): T4 {
  const [B, H, W, C] = x.shape;
  const rows = tf.reshape(x, [(B * H) / 2, 2, W / 2, 2 * C]);
  return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [B, H / 2, W / 2, 4 * C]) as T4;
}

/** The inverse of squeeze. */
export function unsqueeze(x: T4): T4 {
  const [B, h, w, C] = x.shape;
  const rows = tf.reshape(x, [B * h, w, 2, C / 2]);
  return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [B, 2 * h, 2 * w, C / 4]) as T4;
}
