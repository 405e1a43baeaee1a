// Group norm, softmax and dense layers.

import * as tf from "@tensorflow/tfjs-core";
import { dense, groupNorm } from "../../../shared/nn/fused.ts";
import { type BackendCase, random, siluOf } from "./case.ts";
import * as plain from "./reference.ts";

export const norms: BackendCase[] = [
  {
    title: "group norm",
    op: (x, a, b) => groupNorm(x, a as tf.Tensor1D, b as tf.Tensor1D, null, { groups: 4, eps: 1e-5, silu: false }),
    reference: (x, a, b) => plain.groupNorm(x, a!, b!, null, 4, 1e-5),
    inputs: () => [random(3, 5, 5, 16), random(16), random(16)],
  },
  {
    title: "group norm of more rows than a block of sums, with SiLU",
    op: (x, a, b) => groupNorm(x, a as tf.Tensor1D, b as tf.Tensor1D, null, { groups: 2, eps: 1e-5, silu: true }),
    reference: (x, a, b) => plain.map(siluOf, plain.groupNorm(x, a!, b!, null, 2, 1e-5)),
    inputs: () => [random(1, 9, 9, 8), random(8), random(8)],
  },
  {
    title: "group norm with SiLU, modulated per sample",
    op: (x, a, b, m) =>
      groupNorm(x, a as tf.Tensor1D, b as tf.Tensor1D, m as tf.Tensor2D, { groups: 2, eps: 1e-5, silu: true }),
    reference: (x, a, b, m) => plain.map(siluOf, plain.groupNorm(x, a!, b!, m!, 2, 1e-5)),
    inputs: () => [random(3, 5, 5, 8), random(8), random(8), random(3, 16)],
  },
  {
    title: "group norm of channels that are no multiple of 4",
    op: (x, a, b) => groupNorm(x, a as tf.Tensor1D, b as tf.Tensor1D, null, { groups: 3, eps: 1e-5, silu: true }),
    reference: (x, a, b) => plain.map(siluOf, plain.groupNorm(x, a!, b!, null, 3, 1e-5)),
    inputs: () => [random(2, 3, 3, 6), random(6), random(6)],
  },
  {
    title: "group norm of a small spread on a large mean",
    op: (x, a, b) =>
      groupNorm(tf.add(x, 256), a as tf.Tensor1D, b as tf.Tensor1D, null, { groups: 2, eps: 1e-5, silu: false }),
    reference: (x, a, b) =>
      plain.groupNorm(
        plain.map((v) => v + 256, x),
        a!,
        b!,
        null,
        2,
        1e-5,
      ),
    // Eighths: adding 256 is exact.
    inputs: () => [tf.div(tf.round(tf.mul(random(2, 9, 9, 8), 8)), 8), random(8), random(8)],
  },
  {
    title: "softmax",
    op: (x) => tf.softmax(x),
    reference: (x) => plain.map(Math.exp, plain.logSoftmax(x)),
    inputs: () => [random(2, 4, 9)],
  },
  {
    title: "softmax of large logits",
    op: (x) => tf.softmax(tf.add(x, 1000)),
    reference: (x) => plain.map(Math.exp, plain.logSoftmax(x)),
    inputs: () => [tf.div(tf.round(tf.mul(random(4, 9), 8)), 8)],
  },
  { title: "logSoftmax", op: (x) => tf.logSoftmax(x), reference: plain.logSoftmax, inputs: () => [random(4, 9)] },
  {
    title: "dense",
    op: (x, w, b) => dense(x, w as tf.Tensor2D, b as tf.Tensor1D),
    reference: (x, w, b) => plain.map((u, v) => u + v, plain.matMul(x, w!), b!),
    inputs: () => [random(2, 3, 5), random(5, 7), random(7)],
  },
];
