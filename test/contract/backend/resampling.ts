// Pooling and resizing.

import * as tf from "@tensorflow/tfjs-core";
import { downsample2 } from "../../../shared/nn/fused.ts";
import { type BackendCase, even, random } from "./case.ts";
import * as plain from "./reference.ts";

export const resampling: BackendCase[] = [
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
