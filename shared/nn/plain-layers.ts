// Layers of plain TensorFlow.js operations, whose gradients have gradients: what a penalty on slopes is learned through. So have products,
// strided convolutions, means, leaky ReLU and tanh; not pooling, resizing, norms, sigmoid or softmax (backends/gradients). Without norm
// layers a signal keeps its size by its weights alone: uniform with variance 2 / fan in (He et al. 2015).

import * as tf from "@tensorflow/tfjs-core";
import { normals, PURPOSE } from "../rng/stream.ts";
import type { Init } from "../tensor/layout.ts";
import type { Scope } from "./layers.ts";
import type { Forward } from "./network.ts";
import { spectralNorm } from "./spectral-norm.ts";

type T4 = tf.Tensor4D;

const heInit = (fanIn: number): Init => ({ kind: "uniform", scale: Math.sqrt(6 / fanIn) });
const ZEROS: Init = { kind: "zeros" };

export interface PlainOptions {
  /** Weights over their largest singular value (Miyato et al. 2018). */
  readonly spectral?: boolean;
}

export interface ConvOptions extends PlainOptions {
  readonly stride?: number;
  /** On all four sides. */
  readonly pad: number;
}

/** Enough from a start that has nothing to do with the weights. */
const ITERATIONS = 8;

/** A weight as it is applied. @param shape its last axis the outputs. */
function weightOf(scope: Scope, shape: readonly number[], init: Init, spectral = false) {
  const name = scope.param("weight", shape, init);
  if (!spectral) return (f: Forward): tf.Tensor => f.param(name);
  const columns = shape.at(-1)!;
  const rows = shape.reduce((product, n) => product * n, 1) / columns;
  const start = normals({ seed: 0, purpose: PURPOSE.init, step: 0, index: 0 }, rows);
  return (f: Forward): tf.Tensor => {
    const weight = f.param(name);
    const matrix = tf.reshape(weight, [rows, columns]) as tf.Tensor2D;
    return tf.div(weight, spectralNorm(matrix, tf.tensor1d(start), ITERATIONS));
  };
}

/** x float32 [B, H, W, inC] to [B, H', W', outC]. */
export function plainConv2d(scope: Scope, inC: number, outC: number, kernel: number, options: ConvOptions) {
  const { stride = 1, pad, spectral } = options;
  const weight = weightOf(scope, [kernel, kernel, inC, outC], heInit(inC * kernel * kernel), spectral);
  const bias = scope.param("bias", [outC], ZEROS);
  const padding: [[0, 0], [number, number], [number, number], [0, 0]] = [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0],
  ];
  return (f: Forward, x: T4): T4 => tf.add(tf.conv2d(x, weight(f) as T4, stride, padding), f.param(bias)) as T4;
}

/** x float32 [B, inner] to [B, outer]. */
export function plainDense(scope: Scope, inner: number, outer: number, { spectral }: PlainOptions = {}) {
  const weight = weightOf(scope, [inner, outer], heInit(inner), spectral);
  const bias = scope.param("bias", [outer], ZEROS);
  return (f: Forward, x: tf.Tensor2D): tf.Tensor2D =>
    tf.add(tf.matMul(x, weight(f) as tf.Tensor2D), f.param(bias)) as tf.Tensor2D;
}

/** ids int32 [B], each below `rows`, to their rows float32 [B, dim]. */
export function plainEmbedding(scope: Scope, rows: number, dim: number, { spectral }: PlainOptions = {}) {
  const weight = weightOf(scope, [rows, dim], heInit(dim), spectral);
  return (f: Forward, ids: tf.Tensor1D): tf.Tensor2D => tf.gather(weight(f), ids) as tf.Tensor2D;
}

/** Leaky in discriminators (Radford et al. 2016). */
export const leaky = <X extends tf.Tensor>(x: X): X => tf.leakyRelu(x, 0.2) as X;
