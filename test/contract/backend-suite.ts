// What every compute backend must do before plume trains on it: each operation that models use, forward against plain
// float64 loops where the result is not obvious, and its gradient against central differences of the operation itself.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { columnSums, conv2d, dense, downsample2, groupNorm, silu, upsample2 } from "../../shared/nn/fused.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";

type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

let drawn = 0;
/** Standard normals, other ones at each call. */
function random(...shape: number[]): tf.Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  return tf.tensor(normals({ seed: 11, purpose: PURPOSE.canary, step: 0, index: drawn++ }, size), shape);
}

const away = (x: tf.Tensor): tf.Tensor => tf.add(tf.abs(x), 0.5);

/** The worst relative error of the analytic gradient at some elements of every input. */
function gradientError(op: Op, inputs: tf.Tensor[], eps = 1e-2): number {
  const weights = random(...op(...inputs).shape);
  const w = weights.dataSync() as Float32Array;
  const loss = (...xs: tf.Tensor[]) => tf.sum(tf.mul(op(...xs), weights)) as tf.Scalar;
  const gradients = tf.grads(loss)(inputs);
  // The weighted sum in float64, so that the difference is not lost in its rounding.
  const value = (xs: tf.Tensor[]) => (op(...xs).dataSync() as Float32Array).reduce((sum, y, i) => sum + y * w[i]!, 0);
  let worst = 0;
  inputs.forEach((input, k) => {
    const data = input.dataSync() as Float32Array;
    const gradient = gradients[k]!.dataSync();
    expect(gradients[k]!.shape).toEqual(input.shape);
    for (let trial = 0; trial < 8; trial++) {
      const at = (trial * 7919) % data.length;
      const moved = (delta: number) => {
        const copy = data.slice();
        copy[at]! += delta;
        return value(inputs.map((x, j) => (j === k ? tf.tensor(copy, x.shape) : x)));
      };
      const numeric = (moved(eps) - moved(-eps)) / (2 * eps);
      worst = Math.max(worst, Math.abs(numeric - gradient[at]!) / (0.1 + Math.abs(numeric)));
    }
  });
  return worst;
}

const convolutions = [
  { name: "3x3", k: 3, stride: 1, pad: 1 as const },
  { name: "3x3, stride 2, padded by 1", k: 3, stride: 2, pad: 1 as const },
  { name: "3x3, stride 2, same", k: 3, stride: 2, pad: "same" as const },
  { name: "3x3, same", k: 3, stride: 1, pad: "same" as const },
  { name: "1x1", k: 1, stride: 1, pad: 0 as const },
  { name: "1x1, stride 2", k: 1, stride: 2, pad: 0 as const },
];

const differentiable: [string, Op, () => tf.Tensor[]][] = [
  ["silu", (x) => silu(x), () => [random(5, 7)]],
  [
    "group norm",
    (x, a, b) => groupNorm(x, a as tf.Tensor1D, b as tf.Tensor1D, null, { groups: 4, eps: 1e-5, silu: false }),
    () => [random(3, 5, 5, 16), random(16), random(16)],
  ],
  [
    "group norm with SiLU, modulated per sample",
    (x, a, b, m) =>
      groupNorm(x, a as tf.Tensor1D, b as tf.Tensor1D, m as tf.Tensor2D, { groups: 2, eps: 1e-5, silu: true }),
    () => [random(3, 5, 5, 8), random(8), random(8), random(3, 16)],
  ],
  [
    "group norm of channels that are no multiple of 4",
    (x, a, b) => groupNorm(x, a as tf.Tensor1D, b as tf.Tensor1D, null, { groups: 3, eps: 1e-5, silu: true }),
    () => [random(2, 3, 3, 6), random(6), random(6)],
  ],
  ["upsampling by 2", (x) => upsample2(x as tf.Tensor4D), () => [random(2, 3, 3, 5)]],
  ["average pooling by 2", (x) => downsample2(x as tf.Tensor4D), () => [random(2, 6, 4, 5)]],
  [
    "dense",
    (x, w, b) => dense(x, w as tf.Tensor2D, b as tf.Tensor1D),
    () => [random(2, 3, 5), random(5, 7), random(7)],
  ],
  ["matMul", (a, b) => tf.matMul(a, b), () => [random(7, 6), random(6, 9)]],
  ["matMul of a batch", (a, b) => tf.matMul(a, b), () => [random(3, 7, 6), random(3, 6, 9)]],
  ["matMul, left transposed", (a, b) => tf.matMul(a, b, true), () => [random(3, 6, 7), random(3, 6, 9)]],
  ["matMul, right transposed", (a, b) => tf.matMul(a, b, false, true), () => [random(3, 7, 6), random(3, 9, 6)]],
  [
    "matMul, both transposed, larger than a tile",
    (a, b) => tf.matMul(a, b, true, true),
    () => [random(2, 50, 13), random(2, 11, 50)],
  ],
  ["softmax", (x) => tf.softmax(x), () => [random(4, 9)]],
  ["logSoftmax", (x) => tf.logSoftmax(x), () => [random(4, 9)]],
  ["sigmoid", (x) => tf.sigmoid(x), () => [random(4, 9)]],
  ["tanh", (x) => tf.tanh(x), () => [random(4, 9)]],
  ["exp", (x) => tf.exp(x), () => [random(4, 5)]],
  ["log", (x) => tf.log(x), () => [away(random(4, 5))]],
  ["sqrt", (x) => tf.sqrt(x), () => [away(random(4, 5))]],
  ["rsqrt", (x) => tf.rsqrt(x), () => [away(random(4, 5))]],
  ["square", (x) => tf.square(x), () => [random(4, 5)]],
  ["squared difference", (a, b) => tf.squaredDifference(a, b), () => [random(4, 5), random(4, 5)]],
  [
    "sums and differences that broadcast",
    (a, b, c) => tf.sub(tf.add(a, b), c),
    () => [random(2, 3, 3, 4), random(2, 1, 1, 4), random(4)],
  ],
  [
    "products and quotients that broadcast",
    (a, b, c) => tf.div(tf.mul(a, b), away(c)),
    () => [random(2, 3, 3, 4), random(2, 1, 1, 4), random(4)],
  ],
  ["mean over space", (x) => tf.mean(x, [1, 2]), () => [random(2, 3, 3, 4)]],
  ["sum over leading axes", (x) => tf.sum(x, [0, 1]), () => [random(4, 3, 5)]],
  ["concat", (a, b) => tf.concat([a, b], 3), () => [random(2, 3, 3, 4), random(2, 3, 3, 8)]],
  ["slice", (x) => tf.slice(x, [0, 1], [2, 2]), () => [random(2, 4)]],
  ["split", (x) => tf.mul(...(tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor])), () => [random(3, 8)]],
  ["stack and unstack", (a, b) => tf.stack([tf.unstack(a)[1]!, b]), () => [random(2, 4), random(4)]],
  [
    "pad",
    (x) =>
      tf.pad(x, [
        [1, 0],
        [0, 2],
      ]),
    () => [random(2, 4)],
  ],
  ["transpose", (x) => tf.transpose(x, [0, 2, 1]), () => [random(2, 4, 3)]],
  ["tile", (x) => tf.tile(x, [2, 3]), () => [random(2, 4)]],
  ["gather", (x) => tf.gather(x, tf.tensor1d([0, 2, 2, 1], "int32")), () => [random(4, 6)]],
  ["clip", (x) => tf.clipByValue(x, -0.4, 0.4), () => [tf.mul(tf.round(random(4, 6)), 0.7)]],
  ["avgPool", (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, "valid"), () => [random(2, 4, 4, 3)]],
  [
    "nearest-neighbour resizing",
    (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [8, 8]),
    () => [random(2, 4, 4, 3)],
  ],
];

export function describeBackend(name: string, open: () => Promise<Backend>): void {
  describe(`backend ${name}`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });

    it("is the one that was asked for", () => {
      expect(backend.name).toBe(name);
      expect(tf.getBackend()).toBe(name);
    });

    for (const { name: title, k, stride, pad } of convolutions) {
      for (const [side, inC, outC] of [
        [6, 4, 8],
        [7, 3, 5],
      ] as const) {
        const apply: Op = (x, w, b) => conv2d(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D, { stride, pad });
        const inputs = () => [random(2, side, side, inC), random(k, k, inC, outC), random(outC)];
        it(`convolves ${title} on ${side}x${side}x${inC} as plain loops do, with the right gradients`, () => {
          const [x, w, b] = inputs() as [tf.Tensor4D, tf.Tensor4D, tf.Tensor1D];
          const got = apply(x, w, b);
          const before =
            pad === "same" ? Math.floor(Math.max(0, (Math.ceil(side / stride) - 1) * stride + k - side) / 2) : pad;
          expect(worstDifference(got, plainConvolution(x, w, b, stride, before, got.shape[1]!))).toBeLessThan(1e-4);
          expect(gradientError(apply, [x, w, b])).toBeLessThan(5e-3);
        });
      }
    }

    it.each(differentiable)("differentiates %s", (_title, op, inputs) => {
      expect(gradientError(op, inputs())).toBeLessThan(5e-3);
    });

    it("multiplies matrices as plain loops do, beyond one block of the kernel", () => {
      const [m, k, n] = [13, 61, 18];
      const [a, b] = [random(m, k), random(k, n)];
      const [x, y] = [a.dataSync(), b.dataSync()];
      const expected = Array.from({ length: m * n }, (_, i) => {
        let sum = 0;
        for (let q = 0; q < k; q++) sum += x[Math.floor(i / n) * k + q]! * y[q * n + (i % n)]!;
        return sum;
      });
      for (const product of [
        tf.matMul(a, b),
        tf.matMul(tf.transpose(a), b, true),
        tf.matMul(a, tf.transpose(b), false, true),
      ])
        expect(worstDifference(product, expected)).toBeLessThan(1e-4);
    });

    it("sums 200,000 values without drifting", () => {
      const x = tf.fill([200_000, 4], 0.1);
      for (const sum of columnSums(x).dataSync()) expect(Math.abs(sum - 20_000) / 20_000).toBeLessThan(1e-5);
    });

    it("normalises a small spread on a large mean", () => {
      const x = tf.add(random(2, 9, 9, 8), 300) as tf.Tensor4D;
      const y = groupNorm(x, tf.ones([8]) as tf.Tensor1D, tf.zeros([8]) as tf.Tensor1D, null, {
        groups: 2,
        eps: 1e-5,
        silu: false,
      });
      const values = x.dataSync();
      const sample = Array.from({ length: 81 * 4 }, (_, i) => values[Math.floor(i / 4) * 8 + (i % 4)]!);
      const mean = sample.reduce((sum, v) => sum + v, 0) / sample.length;
      const std = Math.sqrt(sample.reduce((sum, v) => sum + (v - mean) ** 2, 0) / sample.length);
      expect(Math.abs(y.dataSync()[0]! - (sample[0]! - mean) / std)).toBeLessThan(1e-4);
    });

    it("uses new weights after a convolution ran with old ones", () => {
      const x = tf.ones([1, 4, 4, 4]) as tf.Tensor4D;
      const bias = tf.zeros([4]) as tf.Tensor1D;
      const with_ = (value: number) =>
        conv2d(x, tf.fill([1, 1, 4, 4], value) as tf.Tensor4D, bias, { pad: 0 }).dataSync()[0];
      expect([with_(1), with_(2), with_(1)]).toEqual([4, 8, 4]);
    });

    it("gives the same bits again, whatever ran in between", () => {
      const inputs = [random(2, 7, 7, 8), random(3, 3, 8, 8), random(8)];
      const run = () => {
        const gradients = tf.grads(
          (x, w, b) =>
            tf.sum(silu(conv2d(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D, { pad: 1 }))) as tf.Scalar,
        )(inputs);
        return gradients.map((g) => Buffer.from((g.dataSync() as Float32Array).slice().buffer).toString("base64"));
      };
      const first = run();
      tf.matMul(random(64, 64), random(64, 64)).dataSync();
      expect(run()).toEqual(first);
    });

    it("keeps tensors and memory flat over 100 steps", () => {
      const [x, w, b] = [random(4, 8, 8, 8), random(3, 3, 8, 8), random(8)];
      const step = () =>
        tf.tidy(() => {
          const { value } = tf.valueAndGrads(
            (...xs) =>
              tf.mean(
                tf.square(conv2d(xs[0] as tf.Tensor4D, xs[1] as tf.Tensor4D, xs[2] as tf.Tensor1D, { pad: 1 })),
              ) as tf.Scalar,
          )([x, w, b]);
          return value.dataSync()[0];
        });
      for (let i = 0; i < 5; i++) step();
      const [tensors, bytes] = [tf.memory().numTensors, backend.memory().usedBytes];
      for (let i = 0; i < 100; i++) step();
      expect(tf.memory().numTensors).toBe(tensors);
      expect(backend.memory().usedBytes).toBe(bytes);
      expect(() => backend.checkMemory()).not.toThrow();
    });
  });
}

function worstDifference(got: tf.Tensor, expected: readonly number[]): number {
  const values = got.dataSync();
  expect(values.length).toBe(expected.length);
  return expected.reduce((worst, y, i) => Math.max(worst, Math.abs(y - values[i]!)), 0);
}

/** NHWC convolution by its definition, in float64. */
function plainConvolution(
  x: tf.Tensor4D,
  w: tf.Tensor4D,
  b: tf.Tensor1D,
  stride: number,
  before: number,
  side: number,
): number[] {
  const [B, H, W, Ci] = x.shape;
  const [k, , , Co] = w.shape;
  const [xs, ws, bs] = [x.dataSync(), w.dataSync(), b.dataSync()];
  const out: number[] = [];
  for (let n = 0; n < B; n++)
    for (let i = 0; i < side; i++)
      for (let j = 0; j < side; j++)
        for (let o = 0; o < Co; o++) {
          let sum = bs[o]!;
          for (let di = 0; di < k; di++)
            for (let dj = 0; dj < k; dj++) {
              const [y, z] = [i * stride + di - before, j * stride + dj - before];
              if (y < 0 || z < 0 || y >= H || z >= W) continue;
              for (let c = 0; c < Ci; c++)
                sum += xs[((n * H + y) * W + z) * Ci + c]! * ws[((di * k + dj) * Ci + c) * Co + o]!;
            }
          out.push(sum);
        }
  return out;
}
