// Element by element.

import * as tf from "@tensorflow/tfjs-core";
import { silu } from "../../../shared/nn/fused.ts";
import { type BackendCase, random, siluOf } from "./case.ts";
import * as plain from "./reference.ts";

const positive = (...shape: number[]): tf.Tensor => tf.add(tf.abs(random(...shape)), 0.5);

const unary = (
  title: string,
  op: (x: tf.Tensor) => tf.Tensor,
  f: (v: number) => number,
  draw = random,
): BackendCase => ({
  title,
  op: (x) => op(x!),
  reference: (x) => plain.map(f, x!),
  inputs: () => [draw(5, 7)],
});

export const elementwise: BackendCase[] = [
  unary("silu", silu, siluOf),
  unary("sigmoid", tf.sigmoid, plain.sigmoid),
  unary("tanh", tf.tanh, Math.tanh),
  unary("exp", tf.exp, Math.exp),
  unary("log", tf.log, Math.log, positive),
  unary("sqrt", tf.sqrt, Math.sqrt, positive),
  unary("rsqrt", tf.rsqrt, (v) => 1 / Math.sqrt(v), positive),
  unary("square", tf.square, (v) => v * v),
  unary("sine", tf.sin, Math.sin),
  unary("cosine", tf.cos, Math.cos),
  unary("absolute value", tf.abs, Math.abs),
  unary("relu", tf.relu, (v) => Math.max(0, v)),
  unary("negation", tf.neg, (v) => -v),
  unary(
    "clip",
    (x) => tf.clipByValue(x, -0.4, 0.4),
    (v) => Math.min(0.4, Math.max(-0.4, v)),
  ),
  {
    title: "squared difference",
    op: (a, b) => tf.squaredDifference(a, b),
    reference: (a, b) => plain.map((u, v) => (u - v) ** 2, a!, b!),
    inputs: () => [random(4, 5), random(4, 5)],
  },
  {
    title: "sums and differences that broadcast",
    op: (a, b, c) => tf.sub(tf.add(a, b), c),
    reference: (a, b, c) => plain.map((u, v, w) => u + v - w, a!, b!, c!),
    inputs: () => [random(2, 3, 3, 4), random(2, 1, 1, 4), random(4)],
  },
  {
    title: "products and quotients that broadcast",
    op: (a, b, c) => tf.div(tf.mul(a, b), c),
    reference: (a, b, c) => plain.map((u, v, w) => (u * v) / w, a!, b!, c!),
    inputs: () => [random(2, 3, 3, 4), random(2, 1, 1, 4), positive(4)],
  },
  {
    title: "maximum and minimum",
    op: (a, b, c) => tf.minimum(tf.maximum(a, b), c),
    reference: (a, b, c) => plain.map((u, v, w) => Math.min(Math.max(u, v), w), a!, b!, c!),
    inputs: () => [random(4, 5), random(4, 5), random(5)],
  },
];
