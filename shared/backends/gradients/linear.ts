// Gradients of products, convolutions and resampling.

import * as tf from "@tensorflow/tfjs-core";
import { unsupported } from "../unsupported.ts";
import type { GradientRule } from "./gradient.ts";

type T = tf.Tensor;

export const linear: Record<string, GradientRule> = {
  BatchMatMul: {
    save: ["a", "b"],
    gradient: (dy, saved, attrs) => {
      const [a, b] = saved as [T, T];
      const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
      return {
        a: () =>
          fold(transposeA ? tf.matMul(b, dy as T, transposeB, true) : tf.matMul(dy as T, b, false, !transposeB), a),
        b: () =>
          fold(transposeB ? tf.matMul(dy as T, a, true, transposeA) : tf.matMul(a, dy as T, !transposeA, false), b),
      };
    },
  },
  Conv2D: {
    save: ["x", "filter"],
    gradient: (dy, saved, attrs) => {
      const [x, filter] = saved as [tf.Tensor4D, tf.Tensor4D];
      const { strides, pad, dataFormat, dilations } = attrs as {
        strides: number;
        pad: number;
        dataFormat: "NHWC";
        dilations: number;
      };
      if (!tf.backend_util.tupleValuesAreOne(dilations))
        throw unsupported("gradient of Conv2D", `dilation ${dilations}`, "use convolutions without dilation");
      return {
        x: () =>
          tf
            .engine()
            .runKernel(
              "Conv2DBackpropInput",
              { dy: dy as T, filter },
              { strides, pad, dataFormat, inputShape: x.shape },
            ) as T,
        filter: () =>
          tf
            .engine()
            .runKernel(
              "Conv2DBackpropFilter",
              { x, dy: dy as T },
              { strides, pad, dataFormat, filterShape: filter.shape },
            ) as T,
      };
    },
  },
  // The gradient of a gradient, and of a transposed convolution. In its filter it is linear as Conv2D is.
  Conv2DBackpropInput: {
    save: ["dy", "filter"],
    gradient: (given, saved, { strides, pad, dataFormat }) => {
      const [dy, filter] = saved as [T, T];
      const x = given as T;
      const how = { strides: strides!, pad: pad!, dataFormat: dataFormat! };
      const run = (kernel: string, inputs: Record<string, T>, attrs: tf.NamedAttrMap): T =>
        tf.engine().runKernel(kernel, inputs, { ...how, ...attrs }) as T;
      return {
        dy: () => run("Conv2D", { x, filter }, { dilations: 1 }),
        filter: () => run("Conv2DBackpropFilter", { x, dy }, { filterShape: filter.shape }),
      };
    },
  },
  AvgPool: {
    save: ["x"],
    gradient: (dy, [x], { filterSize, strides, pad }) => ({
      x: () =>
        tf
          .engine()
          .runKernel(
            "AvgPoolGrad",
            { dy: dy as T, input: x! },
            { filterSize: filterSize!, strides: strides!, pad: pad! },
          ) as T,
    }),
  },
  MaxPool: {
    save: ["x"],
    saveOutputs: [true],
    gradient: (dy, [x, y], { filterSize, strides, pad }) => ({
      x: () =>
        tf
          .engine()
          .runKernel(
            "MaxPoolGrad",
            { dy: dy as T, input: x!, output: y! },
            { filterSize: filterSize!, strides: strides!, pad: pad! },
          ) as T,
    }),
  },
  ResizeNearestNeighbor: {
    save: ["images"],
    gradient: (dy, [images], attrs) => ({
      images: () => tf.engine().runKernel("ResizeNearestNeighborGrad", { dy: dy as T, images: images! }, attrs) as T,
    }),
  },
  ResizeBilinear: {
    save: ["images"],
    gradient: (dy, [images], attrs) => ({
      images: () => tf.engine().runKernel("ResizeBilinearGrad", { dy: dy as T, images: images! }, attrs) as T,
    }),
  },
};

/** Sums over batch dimensions that the product broadcast. */
function fold(gradient: T, input: T): T {
  if (gradient.rank === input.rank && gradient.shape.every((n, i) => n === input.shape[i])) return gradient;
  const axes = tf.broadcast_util.getReductionAxes(input.shape, gradient.shape);
  return tf.reshape(tf.sum(gradient, axes), input.shape);
}
