// What plume adds to tfjs-node's kernels: convolution gradients with explicit padding, which it refuses, and operations
// that TensorFlow knows how to fuse or has one of its own for.

import * as tf from "@tensorflow/tfjs-core";
import { defineKernel, type KernelInputs } from "../composed-kernel.ts";
import type { NodeBackend, OpAttribute } from "./binding.ts";

type Shape4 = [number, number, number, number];

// TF_AttrType and TF_DataType of TensorFlow's C API.
const string = (name: string, value: string): OpAttribute => ({ name, type: 0, value });
const ints = (name: string, value: readonly number[]): OpAttribute => ({ name, type: 1, value: [...value] });
const int = (name: string, value: number): OpAttribute => ({ name, type: 1, value });
const bool = (name: string, value: boolean): OpAttribute => ({ name, type: 3, value });
const type = (name: string, { dtype }: tf.TensorInfo): OpAttribute => ({ name, type: 4, value: TYPES[dtype] });
const TYPES: Readonly<Record<string, number>> = { float32: 1, int32: 3 };
const FLOAT: OpAttribute = { name: "T", type: 4, value: 1 };
const NHWC = string("data_format", "NHWC");

export function registerKernels(): void {
  define("FusedConv2D", (backend, { x, filter, bias, preluActivationWeights }, attrs) => {
    const { strides, pad, dilations, activation, leakyreluAlpha } = attrs as unknown as tf.FusedConv2DAttrs;
    const y = tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad, "NHWC", dilations);
    const biased = bias ? backend.executeSingleOutput("BiasAdd", [FLOAT, NHWC], [y, bias]) : y;
    return backend.applyActivation(biased, activation, preluActivationWeights as tf.Tensor | undefined, leakyreluAlpha);
  });

  define("Conv2DBackpropInput", (backend, { dy, filter }, attrs) => {
    const { inputShape } = attrs as unknown as tf.Conv2DBackpropInputAttrs;
    const { attributes, pads, padded } = geometry(inputShape, filter!.shape, attrs);
    const sizes = tf.tensor1d(padded, "int32");
    const dx = backend.executeSingleOutput("Conv2DBackpropInput", attributes, [sizes, filter!, dy!]);
    if (!pads) return dx;
    return tf.slice(
      dx,
      pads.map(([before]) => before),
      inputShape,
    );
  });

  define("Conv2DBackpropFilter", (backend, { x, dy }, attrs) => {
    const { filterShape } = attrs as unknown as tf.Conv2DBackpropFilterAttrs;
    const { attributes, pads } = geometry(x!.shape as Shape4, filterShape, attrs);
    const input = pads ? tf.pad(x as tf.Tensor4D, pads) : x!;
    return backend.executeSingleOutput("Conv2DBackpropFilter", attributes, [
      input,
      tf.tensor1d(filterShape, "int32"),
      dy!,
    ]);
  });

  // tfjs-node leaves half-pixel centres out.
  define("ResizeBilinearGrad", (backend, { images, dy }, attrs) => {
    const { alignCorners, halfPixelCenters } = attrs as unknown as {
      alignCorners: boolean;
      halfPixelCenters?: boolean;
    };
    const attributes = [
      FLOAT,
      bool("align_corners", alignCorners),
      bool("half_pixel_centers", halfPixelCenters === true),
    ];
    return backend.executeSingleOutput("ResizeBilinearGrad", attributes, [dy!, images!]);
  });

  // tfjs-node's reads indices on the host to refuse those beyond the end, which TensorFlow does itself: a recording has no values.
  define("GatherV2", (backend, { x, indices }, attrs) => {
    const { axis, batchDims } = attrs as unknown as tf.GatherV2Attrs;
    const at = tf.scalar(axis, "int32");
    const attributes = [
      int("batch_dims", batchDims),
      ...[type("Tparams", x!), type("Tindices", indices!), type("Taxis", at)],
    ];
    return backend.executeSingleOutput("GatherV2", attributes, [x!, indices!, at]);
  });

  // [..., C] -> [C]
  define("PlumeColumnSums", (backend, { x }) => {
    const C = x!.shape.at(-1)!;
    let rows = tf.reshape(x as tf.Tensor, [-1, C]) as tf.Tensor2D;
    while (rows.shape[0] > ROWS_AT_ONCE) rows = foldRows(rows);
    return backend.executeSingleOutput("BiasAddGrad", [FLOAT, NHWC], [rows]);
  });
}

/** TensorFlow adds row after row: float32 loses digits when they are many. */
const ROWS_AT_ONCE = 256;

/** Rows of the same sum, some hundred times fewer. */
function foldRows(rows: tf.Tensor2D): tf.Tensor2D {
  const [N, C] = rows.shape;
  const folds = Math.floor(N / ROWS_AT_ONCE);
  const whole = folds * ROWS_AT_ONCE;
  const folded = tf.sum(tf.reshape(tf.slice(rows, [0, 0], [whole, C]), [folds, ROWS_AT_ONCE, C]), 1) as tf.Tensor2D;
  return whole === N ? folded : (tf.concat([folded, tf.slice(rows, [whole, 0], [N - whole, C])], 0) as tf.Tensor2D);
}

/**
 * Explicit padding as TensorFlow's gradients take it: as "SAME" where that is the same, else as none of an input that was
 * padded before. @returns the padding to be added and the shape with it; no pads where there is none to add.
 */
function geometry(input: Shape4, filter: readonly number[], attrs: tf.NamedAttrMap) {
  const { strides, pad } = attrs as unknown as tf.Conv2DBackpropInputAttrs;
  const conv = tf.backend_util.computeConv2DInfo(input, filter as Shape4, strides, 1, pad);
  const { top, bottom, left, right, type } = conv.padInfo;
  const { strideHeight, strideWidth, filterHeight, filterWidth } = conv;
  const attributesOf = (padding: string) => [
    FLOAT,
    NHWC,
    ints("strides", [1, strideHeight, strideWidth, 1]),
    string("padding", padding),
  ];
  if (type === "SAME" || type === "VALID") return { attributes: attributesOf(type), pads: null, padded: input };
  const isSame =
    strideHeight * strideWidth === 1 &&
    top === bottom &&
    left === right &&
    2 * top === filterHeight - 1 &&
    2 * left === filterWidth - 1;
  if (isSame) return { attributes: attributesOf("SAME"), pads: null, padded: input };
  const pads: [number, number][] = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
  const padded = input.map((size, axis) => size + pads[axis]![0] + pads[axis]![1]) as Shape4;
  return { attributes: attributesOf("VALID"), pads, padded };
}

function define(name: string, run: (backend: NodeBackend, inputs: KernelInputs, attrs: tf.NamedAttrMap) => tf.Tensor) {
  defineKernel("tensorflow", name, (inputs, attrs, backend) => run(backend as NodeBackend, inputs, attrs));
}
