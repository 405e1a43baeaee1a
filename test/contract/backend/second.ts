// Gradients that are differentiated again: what a penalty on a discriminator's slope is made of.

import * as tf from "@tensorflow/tfjs-core";
import { type BackendCase, random } from "./case.ts";
import { at, build, type Nd } from "./reference.ts";

/** The gradient of a convolution's images [n, side, side, c] by those of its outputs. */
function transposed(dy: Nd, w: Nd, side: number, stride: number, pad: number): Nd {
  const [n, out, , Co] = dy.shape as [number, number, number, number];
  const [k, , Ci] = w.shape as [number, number, number];
  return build([n, side, side, Ci], ([b, y, x, c]) => {
    let total = 0;
    for (let i = 0; i < out; i++)
      for (let j = 0; j < out; j++) {
        const [di, dj] = [y! + pad - i * stride, x! + pad - j * stride];
        if (di < 0 || dj < 0 || di >= k || dj >= k) continue;
        for (let o = 0; o < Co; o++) total += at(dy, [b!, i, j, o]) * at(w, [di, dj, c!, o]);
      }
    return total;
  });
}

const slopeOf = (f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor => tf.grad((a: tf.Tensor) => tf.sum(f(a)))(x);

export const second: readonly BackendCase[] = [
  ...(
    [
      { k: 3, stride: 1, pad: 1, side: 5, out: 5 },
      { k: 4, stride: 2, pad: 1, side: 6, out: 3 },
      { k: 2, stride: 2, pad: 0, side: 6, out: 3 },
    ] as const
  ).map(
    ({ k, stride, pad, side, out }): BackendCase => ({
      title: `the gradient of a convolution ${k}x${k}, stride ${stride}, with respect to its images`,
      op: (dy, w) =>
        tf.conv2dTranspose(dy as tf.Tensor4D, w as tf.Tensor4D, [2, side, side, 4], stride, [
          [0, 0],
          [pad, pad],
          [pad, pad],
          [0, 0],
        ] as never),
      reference: (dy, w) => transposed(dy!, w!, side, stride, pad),
      inputs: () => [random(2, out, out, 8), random(k, k, 4, 8)],
    }),
  ),
  {
    title: "the slope of tanh",
    op: (x) => slopeOf(tf.tanh, x!),
    reference: (x) => build(x!.shape, (index) => 1 - Math.tanh(at(x!, index)) ** 2),
    inputs: () => [random(4, 6)],
  },
  {
    title: "the slope of a product's leaky ReLU",
    op: (x, w) => slopeOf((a) => tf.leakyRelu(tf.matMul(a as tf.Tensor2D, w as tf.Tensor2D), 0.2), x!),
    reference: (x, w) =>
      build(x!.shape, ([row, c]) => {
        const [inner, outer] = w!.shape as [number, number];
        let total = 0;
        for (let o = 0; o < outer; o++) {
          let z = 0;
          for (let i = 0; i < inner; i++) z += at(x!, [row!, i]) * at(w!, [i, o]);
          total += at(w!, [c!, o]) * (z > 0 ? 1 : 0.2);
        }
        return total;
      }),
    inputs: () => [random(3, 5), random(5, 7)],
  },
];
