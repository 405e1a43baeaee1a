// Convolutions of every stride and padding that models use.

import * as tf from "@tensorflow/tfjs-core";
import { conv2d } from "../../../shared/nn/fused.ts";
import { type BackendCase, even, random } from "./case.ts";
import type { Padding } from "./reference.ts";
import * as plain from "./reference.ts";

export function convolutions(): BackendCase[] {
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
