// The operations that models use: as a backend is asked for them, as plain float64 loops do them, and inputs to try.

import * as tf from "@tensorflow/tfjs-core";
import { conv2d, dense, downsample2, groupNorm, silu, upsample2 } from "../../shared/nn/fused.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import type { Nd, Padding } from "./backend-reference.ts";
import * as plain from "./backend-reference.ts";

export interface BackendCase {
  readonly title: string;
  readonly op: (...inputs: tf.Tensor[]) => tf.Tensor;
  readonly reference: (...inputs: Nd[]) => Nd;
  readonly inputs: () => tf.Tensor[];
}

let drawn = 0;
/** Standard normals, other ones at each call. */
export function random(...shape: number[]): tf.Tensor {
  const at = { seed: 11, purpose: PURPOSE.canary, step: 0, index: drawn++ };
  return tf.tensor(normals(at, plain.sizeOf(shape)), shape);
}

const positive = (...shape: number[]): tf.Tensor => tf.add(tf.abs(random(...shape)), 0.5);
const even = (pad: number): Padding => [
  [pad, pad],
  [pad, pad],
];

function convolutions(): BackendCase[] {
  const kinds = [
    { name: "3x3", k: 3, stride: 1, pad: 1 },
    { name: "3x3, stride 2, padded by 1", k: 3, stride: 2, pad: 1 },
    { name: "3x3, valid", k: 3, stride: 1, pad: 0 },
    { name: "3x3, stride 2, same", k: 3, stride: 2, pad: "same" },
    { name: "3x3, same", k: 3, stride: 1, pad: "same" },
    { name: "1x1", k: 1, stride: 1, pad: 0 },
    { name: "1x1, stride 2", k: 1, stride: 2, pad: 0 },
    { name: "1x1, padded by 1", k: 1, stride: 1, pad: 1 },
    { name: "5x5, stride 3", k: 5, stride: 3, pad: 2 },
  ] as const;
  const sizes = [
    [6, 4, 8],
    [7, 3, 5],
    [5, 8, 12],
  ] as const;
  // Enough channels for another algorithm: odd sides, more tiles than are computed at once, few channels on either side.
  const wide = [
    [7, 12, 40],
    [18, 8, 16],
    [5, 60, 8],
  ] as const;
  const squares = kinds.flatMap(({ name, k, stride, pad }) =>
    (k === 3 && stride === 1 ? [...sizes, ...wide] : sizes).map(([side, inC, outC]): BackendCase => {
      const same = plain.samePadding(side, k, stride);
      return {
        title: `convolution ${name}, ${side}x${side}x${inC} to ${outC} channels`,
        op: (x, w, b) => conv2d(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D, { stride, pad }),
        reference: (x, w, b) => plain.convolution(x, w, b!, stride, pad === "same" ? [same, same] : even(pad)),
        inputs: () => [random(2, side, side, inC), random(k, k, inC, outC), random(outC)],
      };
    }),
  );
  const lopsided = [1, 2].map((stride): BackendCase => {
    const padding: Padding = [
      [0, 2],
      [1, 0],
    ];
    return {
      title: `convolution 3x3, stride ${stride}, padded unevenly`,
      op: (x, w) =>
        tf.conv2d(
          x as tf.Tensor4D,
          w as tf.Tensor4D,
          stride,
          [
            [0, 0],
            [0, 2],
            [1, 0],
            [0, 0],
          ],
          "NHWC",
        ),
      reference: (x, w) => plain.convolution(x, w, null, stride, padding),
      inputs: () => [random(2, 6, 7, 4), random(3, 3, 4, 8)],
    };
  });
  return [...squares, ...lopsided];
}

function products(): BackendCase[] {
  const shapes: [string, number[], number[]][] = [
    ["", [7, 6], [6, 9]],
    [", beyond one block of the kernel", [13, 61], [61, 18]],
    [" of a batch", [3, 7, 6], [3, 6, 9]],
    [" of heads", [2, 3, 9, 4], [2, 3, 4, 5]],
    [" of a batch with one matrix", [3, 7, 6], [1, 6, 9]],
    [", the right one repeated along the first axis", [2, 3, 4, 5], [1, 3, 5, 6]],
    [", the left one repeated along the second axis", [2, 1, 4, 5], [2, 3, 5, 6]],
  ];
  const turned = (shape: number[], swap: boolean) =>
    swap ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
  return shapes.flatMap(([what, a, b]) =>
    [0, 1, 2, 3].map((bits): BackendCase => {
      const [ta, tb] = [bits % 2 === 1, bits > 1];
      return {
        title: `product${what}${ta ? ", left transposed" : ""}${tb ? ", right transposed" : ""}`,
        op: (x, y) => tf.matMul(x, y, ta, tb),
        reference: (x, y) => plain.matMul(ta ? plain.swapLast(x) : x, tb ? plain.swapLast(y) : y),
        inputs: () => [random(...turned(a, ta)), random(...turned(b, tb))],
      };
    }),
  );
}

const siluOf = (v: number) => v * plain.sigmoid(v);

const norms: BackendCase[] = [
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

const elementwise: BackendCase[] = [
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

function reductions(): BackendCase[] {
  const axes = [[3], [1, 2], [0], [0, 1, 2], [1, 3], [0, 2], [0, 1, 2, 3]];
  return axes.flatMap((over): BackendCase[] => [
    {
      title: `sum over axes ${over.join(", ")}`,
      op: (x) => tf.sum(x, over),
      reference: (x) => plain.sum(x!, over),
      inputs: () => [random(3, 7, 5, 6)],
    },
    {
      title: `mean over axes ${over.join(", ")}`,
      op: (x) => tf.mean(x, over),
      reference: (x) => {
        const total = plain.sum(x!, over);
        return plain.map((v) => (v * total.data.length) / x!.data.length, total);
      },
      inputs: () => [random(3, 7, 5, 6)],
    },
  ]);
}

/** A reference that only moves elements: each output index to an index of one of the inputs, or to zero. */
const moves =
  (shape: number[], from: (index: number[]) => [input: number, index: number[]] | null) =>
  (...inputs: Nd[]): Nd =>
    plain.build(shape, (index) => {
      const source = from(index);
      return source ? plain.at(inputs[source[0]]!, source[1]) : 0;
    });

const moving: BackendCase[] = [
  {
    title: "concat of channels",
    op: (a, b, c) => tf.concat([a, b, c], 3),
    reference: moves([2, 3, 3, 17], ([n, i, j, c]) => {
      if (c! < 4) return [0, [n!, i!, j!, c!]];
      return c! < 12 ? [1, [n!, i!, j!, c! - 4]] : [2, [n!, i!, j!, c! - 12]];
    }),
    inputs: () => [random(2, 3, 3, 4), random(2, 3, 3, 8), random(2, 3, 3, 5)],
  },
  {
    title: "concat of rows",
    op: (a, b) => tf.concat([a, b], 0),
    reference: moves([5, 3], ([i, j]) => (i! < 2 ? [0, [i!, j!]] : [1, [i! - 2, j!]])),
    inputs: () => [random(2, 3), random(3, 3)],
  },
  {
    title: "slice of the last axis",
    op: (x) => tf.slice(x, [0, 0, 0, 3], [2, 3, 4, 5]),
    reference: moves([2, 3, 4, 5], ([n, i, j, c]) => [0, [n!, i!, j!, c! + 3]]),
    inputs: () => [random(2, 3, 4, 9)],
  },
  {
    title: "slice of every axis",
    op: (x) => tf.slice(x, [1, 2, 0, 1], [2, 2, 3, -1]),
    reference: moves([2, 2, 3, 4], ([n, i, j, c]) => [0, [n! + 1, i! + 2, j!, c! + 1]]),
    inputs: () => [random(3, 5, 4, 5)],
  },
  {
    title: "slice of a vector",
    op: (x) => tf.slice(x, [2], [3]),
    reference: moves([3], ([i]) => [0, [i! + 2]]),
    inputs: () => [random(7)],
  },
  {
    title: "split in unequal parts",
    op: (x) => {
      const [a, b, c] = tf.split(x, [2, 3, 3], 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      return tf.concat([c, a, b], 1);
    },
    reference: moves([3, 8, 2], ([n, i, c]) => [0, [n!, (i! + 5) % 8, c!]]),
    inputs: () => [random(3, 8, 2)],
  },
  {
    title: "stack and unstack",
    op: (a, b) => tf.stack([tf.unstack(a, 1)[2]!, b], 1),
    reference: moves([2, 2], ([i, j]) => (j === 0 ? [0, [i!, 2]] : [1, [i!]])),
    inputs: () => [random(2, 4), random(2)],
  },
  {
    title: "pad",
    op: (x) =>
      tf.pad(x, [
        [1, 0],
        [0, 2],
      ]),
    reference: moves([3, 6], ([i, j]) => (i! < 1 || j! > 3 ? null : [0, [i! - 1, j!]])),
    inputs: () => [random(2, 4)],
  },
  {
    title: "transpose",
    op: (x) => tf.transpose(x, [0, 3, 1, 2]),
    reference: (x) => plain.transpose(x!, [0, 3, 1, 2]),
    inputs: () => [random(2, 4, 3, 5)],
  },
  {
    title: "tile",
    op: (x) => tf.tile(x, [2, 3]),
    reference: moves([4, 12], ([i, j]) => [0, [i! % 2, j! % 4]]),
    inputs: () => [random(2, 4)],
  },
  {
    title: "gather with repeats",
    op: (x) => tf.gather(x, tf.tensor1d([0, 2, 2, 1], "int32")),
    reference: moves([4, 6], ([i, j]) => [0, [[0, 2, 2, 1][i!]!, j!]]),
    inputs: () => [random(4, 6)],
  },
  {
    title: "upsampling by 2",
    op: (x) => upsample2(x as tf.Tensor4D),
    reference: moves([2, 6, 8, 5], ([n, i, j, c]) => [0, [n!, i! >> 1, j! >> 1, c!]]),
    inputs: () => [random(2, 3, 4, 5)],
  },
  {
    title: "nearest-neighbour resizing by 3",
    op: (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [9, 12]),
    reference: moves([2, 9, 12, 3], ([n, i, j, c]) => [0, [n!, Math.floor(i! / 3), Math.floor(j! / 3), c!]]),
    inputs: () => [random(2, 3, 4, 3)],
  },
];

const resampling: BackendCase[] = [
  {
    title: "average pooling by 2",
    op: (x) => downsample2(x as tf.Tensor4D),
    reference: (x) => plain.pool("mean", x!, 2, 2, even(0)),
    inputs: () => [random(2, 6, 4, 5)],
  },
  {
    title: "average pooling by 2 of odd sides",
    op: (x) => downsample2(x as tf.Tensor4D),
    reference: (x) => plain.pool("mean", x!, 2, 2, even(0)),
    inputs: () => [random(2, 7, 5, 5)],
  },
  {
    title: "average pooling of overlapping windows",
    op: (x) => tf.avgPool(x as tf.Tensor4D, 3, 1, "same"),
    reference: (x) => plain.pool("mean", x!, 3, 1, even(1)),
    inputs: () => [random(2, 5, 4, 3)],
  },
  {
    title: "max pooling of negative values",
    op: (x) => tf.maxPool(tf.sub(x, 9) as tf.Tensor4D, 3, 2, "same"),
    reference: (x) => plain.map((v) => v - 9, plain.pool("max", x!, 3, 2, even(1))),
    inputs: () => [random(2, 5, 5, 3)],
  },
  {
    title: "average pooling with padding on one side, stride 2",
    op: (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, "same"),
    reference: (x) => {
      const [rows, columns] = [plain.samePadding(6, 3, 2), plain.samePadding(4, 3, 2)];
      return plain.pool("mean", x!, 3, 2, [rows, columns]);
    },
    inputs: () => [random(2, 6, 4, 3)],
  },
  {
    title: "bilinear resizing with half-pixel centres, larger",
    op: (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 8], false, true),
    reference: (x) => plain.bilinear(x!, [7, 8]),
    inputs: () => [random(2, 3, 4, 5)],
  },
  {
    title: "bilinear resizing with half-pixel centres, smaller",
    op: (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [3, 2], false, true),
    reference: (x) => plain.bilinear(x!, [3, 2]),
    inputs: () => [random(2, 6, 5, 3)],
  },
];

export const BACKEND_CASES: readonly BackendCase[] = [
  ...convolutions(),
  ...products(),
  ...norms,
  ...elementwise,
  ...reductions(),
  ...moving,
  ...resampling,
];
