// Gradients of element-by-element kernels.

import * as tf from "@tensorflow/tfjs-core";
import { type GradientRule, unbroadcast } from "./gradient.ts";

type T = tf.Tensor;
const { mul, sub, add, div, neg, square, cos, sin, cast, step, exp, sigmoid } = tf;

const unary = (save: "x" | "y", derivative: (dy: T, saved: T, attrs: tf.NamedAttrMap) => T): GradientRule => ({
  ...(save === "x" ? { save: ["x"] } : { saveOutputs: [true] }),
  gradient: (dy, [saved], attrs) => ({ x: () => derivative(dy, saved!, attrs) }),
});

const binary = (a: (dy: T, a: T, b: T) => T, b: (dy: T, a: T, b: T) => T): GradientRule => ({
  save: ["a", "b"],
  gradient: (dy, saved) => {
    const [x, y] = saved as [T, T];
    return { a: () => unbroadcast(a(dy, x, y), x.shape), b: () => unbroadcast(b(dy, x, y), y.shape) };
  },
});

const where = (condition: T, dy: T): T => mul(dy, cast(condition, "float32"));

export const elementwise: Record<string, GradientRule> = {
  Add: binary(
    (dy) => dy,
    (dy) => dy,
  ),
  Sub: binary(
    (dy) => dy,
    (dy) => neg(dy),
  ),
  Multiply: binary(
    (dy, _a, b) => mul(dy, b),
    (dy, a) => mul(dy, a),
  ),
  RealDiv: binary(
    (dy, _a, b) => div(dy, b),
    (dy, a, b) => neg(div(mul(dy, a), square(b))),
  ),
  Maximum: binary(
    (dy, a, b) => where(tf.greaterEqual(a, b), dy),
    (dy, a, b) => where(tf.less(a, b), dy),
  ),
  Minimum: binary(
    (dy, a, b) => where(tf.lessEqual(a, b), dy),
    (dy, a, b) => where(tf.greater(a, b), dy),
  ),
  SquaredDifference: binary(
    (dy, a, b) => mul(dy, mul(2, sub(a, b))),
    (dy, a, b) => mul(dy, mul(2, sub(b, a))),
  ),
  Pow: binary(
    (dy, a, b) => mul(dy, mul(b, tf.pow(a, sub(b, 1)))),
    (dy, a, b) => mul(dy, mul(tf.pow(a, b), tf.where(tf.greater(a, 0), tf.log(a), tf.zerosLike(a)))),
  ),
  Neg: { gradient: (dy) => ({ x: () => neg(dy as T) }) },
  Square: unary("x", (dy, x) => mul(dy, mul(x, 2))),
  Sqrt: unary("x", (dy, x) => div(dy, mul(tf.sqrt(x), 2))),
  Rsqrt: unary("x", (dy, x) => neg(div(dy, mul(mul(x, tf.sqrt(x)), 2)))),
  Reciprocal: unary("x", (dy, x) => neg(div(dy, square(x)))),
  Exp: unary("y", (dy, y) => mul(dy, y)),
  Log: unary("x", (dy, x) => div(dy, x)),
  Log1p: unary("x", (dy, x) => div(dy, add(x, 1))),
  Sigmoid: unary("y", (dy, y) => mul(dy, mul(y, sub(1, y)))),
  // Of x, so that it has a gradient itself: of an output that was saved the engine knows no way back to x.
  Tanh: unary("x", (dy, x) => mul(sub(1, square(tf.tanh(x))), dy)),
  Softplus: unary("x", (dy, x) => mul(dy, sigmoid(x))),
  Relu: unary("x", (dy, x) => mul(dy, step(x))),
  LeakyRelu: unary("x", (dy, x, { alpha }) => mul(dy, step(x, alpha as number))),
  Elu: unary("y", (dy, y) => mul(dy, tf.where(tf.greater(y, 0), tf.onesLike(y), add(y, 1)))),
  Abs: unary("x", (dy, x) => sub(mul(dy, step(x)), mul(dy, step(neg(x))))), // 0 at 0
  Sin: unary("x", (dy, x) => mul(cos(x), dy)),
  Cos: unary("x", (dy, x) => mul(neg(sin(x)), dy)),
  ClipByValue: unary("x", (dy, x, { clipValueMin, clipValueMax }) =>
    where(tf.logicalAnd(tf.greaterEqual(x, clipValueMin as number), tf.lessEqual(x, clipValueMax as number)), dy),
  ),
  Cast: { gradient: (dy) => ({ x: () => (dy as T).clone() }) },
  Identity: { gradient: (dy) => ({ x: () => cast(dy as T, "float32") }) },
  Select: {
    save: ["condition"],
    gradient: (dy, [condition]) => ({
      condition: () => tf.zerosLike(condition!),
      t: () => where(condition!, dy),
      e: () => where(tf.logicalNot(condition!), dy),
    }),
  },
  Floor: { gradient: (dy) => ({ x: () => tf.zerosLike(dy as T) }) },
  Round: { gradient: (dy) => ({ x: () => tf.zerosLike(dy as T) }) },
  Sign: { gradient: (dy) => ({ x: () => tf.zerosLike(dy as T) }) },
  Step: { gradient: (dy) => ({ x: () => tf.zerosLike(dy as T) }) },
  ZerosLike: { gradient: (dy) => ({ x: () => tf.zerosLike(dy as T) }) },
  OnesLike: { gradient: (dy) => ({ x: () => tf.zerosLike(dy as T) }) },
  Softmax: {
    saveOutputs: [true],
    gradient: (dy, [y], { dim }) => ({
      logits: () => {
        const weighted = mul(dy, y!);
        return sub(weighted, mul(tf.sum(weighted, [dim as number], true), y!));
      },
    }),
  },
  LogSoftmax: {
    saveOutputs: [true],
    gradient: (dy, [value], { axis }) => ({
      logits: () => sub(dy, mul(tf.sum(dy as T, axis as number, true), exp(value!))),
    }),
  },
};
