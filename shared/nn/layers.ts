// Layers: each declares its parameters in a scope when it is built and returns a function that applies it. Shapes at
// line ends: B batch, H height, W width, C channels, T tokens.

import * as tf from "@tensorflow/tfjs-core";
import type { Init, ParamSpec } from "../tensor/layout.ts";
import {
  type Conv2dOptions,
  conv2d as convolve,
  dense as denseProduct,
  downsample2,
  groupNorm as normalise,
  upsample2,
} from "./fused.ts";
import type { Forward } from "./network.ts";

type T4 = tf.Tensor4D;

/** Where a network's parameters are declared, under dotted names. */
export interface Scope {
  param(name: string, shape: readonly number[], init: Init): string;
  child(name: string): Scope;
}

/** The outermost scope, and what was declared in it and under it, in the order of declaration: the layout's order. */
export function createScope(): Scope & { readonly params: readonly ParamSpec[] } {
  const params: ParamSpec[] = [];
  const under = (prefix: string): Scope => ({
    param(name, shape, init) {
      const full = `${prefix}${name}`;
      params.push({ name: full, shape, init });
      return full;
    },
    child: (name) => under(`${prefix}${name}.`),
  });
  return { ...under(""), params };
}

/** PyTorch's default for convolutions and dense layers: uniform in +-1/sqrt(fan in). */
const torchInit = (fanIn: number): Init => ({ kind: "uniform", scale: 1 / Math.sqrt(fanIn) });
const ZEROS: Init = { kind: "zeros" };
const ONES: Init = { kind: "ones" };

export interface LayerOptions {
  /** Starts at zero, so that the branch adds nothing at first. */
  readonly zero?: boolean;
}

/** x float32 [B, H, W, inC] to [B, H / stride, W / stride, outC], by a kernel [kernel, kernel, inC, outC] and a bias. */
export function conv2d(
  scope: Scope,
  inC: number,
  outC: number,
  kernel: 1 | 3,
  options: LayerOptions & Partial<Conv2dOptions> = {},
) {
  const init = options.zero ? ZEROS : torchInit(inC * kernel * kernel);
  const weight = scope.param("weight", [kernel, kernel, inC, outC], init);
  const bias = scope.param("bias", [outC], init);
  const how: Conv2dOptions = { stride: options.stride ?? 1, pad: options.pad ?? (kernel - 1) / 2 };
  return (f: Forward, x: T4): T4 => convolve(x, f.param(weight) as T4, f.param(bias) as tf.Tensor1D, how);
}

/** x float32 [..., inner] to [..., outer]: x W + b. */
export function dense(scope: Scope, inner: number, outer: number, options: LayerOptions = {}) {
  const init = options.zero ? ZEROS : torchInit(inner);
  const weight = scope.param("weight", [inner, outer], init);
  const bias = scope.param("bias", [outer], init);
  return <X extends tf.Tensor>(f: Forward, x: X): X =>
    denseProduct(x, f.param(weight) as tf.Tensor2D, f.param(bias) as tf.Tensor1D) as X;
}

/** x float32 [B, inner] to [B, outer], x W, which is 0 for x = 0 and, until it is trained, for any other. */
export function project(scope: Scope, inner: number, outer: number) {
  const weight = scope.param("weight", [inner, outer], ZEROS);
  return (f: Forward, x: tf.Tensor2D): tf.Tensor2D => tf.matMul(x, f.param(weight) as tf.Tensor2D);
}

/** Applies to x [B, ..., channels] and, for AdaGN, a modulation [B, 2 channels]: scale | shift. */
export function groupNorm(
  scope: Scope,
  channels: number,
  { groups, eps, silu = false }: { groups: number; eps: number; silu?: boolean },
) {
  const weight = scope.param("weight", [channels], ONES);
  const bias = scope.param("bias", [channels], ZEROS);
  return <X extends tf.Tensor>(f: Forward, x: X, modulation: tf.Tensor2D | null = null): X =>
    normalise(x, f.param(weight) as tf.Tensor1D, f.param(bias) as tf.Tensor1D, modulation, { groups, eps, silu });
}

/** ids int32 [B], each below `rows`, to their rows float32 [B, dim]. */
export function embedding(scope: Scope, rows: number, dim: number) {
  const weight = scope.param("weight", [rows, dim], { kind: "normal", scale: 1 });
  return (f: Forward, ids: tf.Tensor1D): tf.Tensor2D => tf.gather(f.param(weight), ids) as tf.Tensor2D;
}

/** x float32 [B, H, W, channels] to [B, 2 H, 2 W, channels], by repetition, then a 3x3 convolution if there is a scope. */
export function upsample(scope: Scope | null, channels: number) {
  const conv = scope && conv2d(scope, channels, channels, 3);
  return (f: Forward, x: T4): T4 => {
    const y = upsample2(x);
    return conv ? conv(f, y) : y;
  };
}

/** x float32 [B, H, W, channels] to [B, H / 2, W / 2, channels]: by a convolution of stride 2 padded by 1 on all sides, or by averaging. */
export function downsample(scope: Scope | null, channels: number) {
  const conv = scope && conv2d(scope, channels, channels, 3, { stride: 2, pad: 1 });
  return (f: Forward, x: T4): T4 => (conv ? conv(f, x) : downsample2(x));
}
