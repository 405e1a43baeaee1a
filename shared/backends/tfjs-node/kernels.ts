// What plume adds to tfjs-node's kernels: convolution gradients with explicit padding, which it refuses, and operations
// that TensorFlow knows how to fuse or has one of its own for.

import * as tf from "@tensorflow/tfjs-core";
import type { NodeBackend, OpAttribute } from "./binding.ts";

type Inputs = Readonly<Record<string, tf.TensorInfo>>;
type Pairs = readonly (readonly [number, number])[];

interface ConvAttributes {
  readonly strides: number | readonly [number, number];
  readonly pad: "same" | "valid" | number | Pairs;
  readonly dilations?: number | readonly [number, number];
}

// TF_AttrType and TF_DataType of TensorFlow's C API.
const string = (name: string, value: string): OpAttribute => ({ name, type: 0, value });
const ints = (name: string, value: readonly number[]): OpAttribute => ({ name, type: 1, value: [...value] });
const bool = (name: string, value: boolean): OpAttribute => ({ name, type: 3, value });
const FLOAT: OpAttribute = { name: "T", type: 4, value: 1 };

const pair = (value: number | readonly [number, number] = 1): readonly [number, number] =>
  typeof value === "number" ? [value, value] : value;

export function registerKernels(): void {
  define("FusedConv2D", (backend, { x, filter, bias, preluActivationWeights }, attrs) => {
    const { activation, leakyreluAlpha } = attrs as { activation?: string; leakyreluAlpha?: number };
    const y = tf.conv2d(
      x as tf.Tensor4D,
      filter as tf.Tensor4D,
      pair((attrs as unknown as ConvAttributes).strides) as [number, number],
      (attrs as unknown as ConvAttributes).pad as "same",
      "NHWC",
      pair((attrs as unknown as ConvAttributes).dilations) as [number, number],
    );
    const biased = bias ? backend.executeSingleOutput("BiasAdd", [FLOAT, string("data_format", "NHWC")], [y, bias]) : y;
    return activate(biased, activation, preluActivationWeights as tf.Tensor | undefined, leakyreluAlpha);
  });

  define("Conv2DBackpropInput", (backend, { dy, filter }, attrs) => {
    const { inputShape } = attrs as unknown as { inputShape: [number, number, number, number] };
    const { padding, padded, pads, strides } = geometry(inputShape, filter!.shape, attrs as unknown as ConvAttributes);
    const sizes = tf.tensor1d(padded, "int32");
    const attributes = [FLOAT, ints("strides", strides), string("padding", padding), string("data_format", "NHWC")];
    const dx = backend.executeSingleOutput("Conv2DBackpropInput", attributes, [sizes, filter!, dy!]);
    if (padded === inputShape) return dx;
    return tf.slice(
      dx,
      pads.map(([before]) => before),
      inputShape,
    );
  });

  define("Conv2DBackpropFilter", (backend, { x, dy }, attrs) => {
    const { filterShape } = attrs as unknown as { filterShape: [number, number, number, number] };
    const shape = x!.shape as [number, number, number, number];
    const { padding, padded, pads, strides } = geometry(shape, filterShape, attrs as unknown as ConvAttributes);
    const input = padded === shape ? x! : tf.pad(x as tf.Tensor4D, pads as never);
    const sizes = tf.tensor1d(filterShape, "int32");
    const attributes = [FLOAT, ints("strides", strides), string("padding", padding), string("data_format", "NHWC")];
    return backend.executeSingleOutput("Conv2DBackpropFilter", attributes, [input, sizes, dy!]);
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

  // [..., C] -> [C]
  define("PlumeColumnSums", (backend, { x }) => {
    const C = x!.shape.at(-1)!;
    let rows = tf.reshape(x as tf.Tensor, [-1, C]) as tf.Tensor2D;
    while (rows.shape[0] > ROWS_AT_ONCE) rows = foldRows(rows);
    return backend.executeSingleOutput("BiasAddGrad", [FLOAT, string("data_format", "NHWC")], [rows]);
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
 * padded before.
 */
function geometry(
  input: [number, number, number, number],
  filter: readonly number[],
  { strides, pad, dilations }: ConvAttributes,
) {
  const step = pair(strides);
  const spread = pair(dilations);
  const [kh, kw] = [spread[0] * (filter[0]! - 1), spread[1] * (filter[1]! - 1)];
  const explicit: Pairs | null =
    typeof pad === "number"
      ? [
          [0, 0],
          [pad, pad],
          [pad, pad],
          [0, 0],
        ]
      : typeof pad === "string"
        ? null
        : pad;
  const all = { strides: [1, ...step, 1], pads: explicit ?? [], padded: input };
  if (!explicit) return { ...all, padding: (pad as string).toUpperCase() };
  const [, [top, bottom], [left, right]] = explicit as [never, readonly [number, number], readonly [number, number]];
  const isSame =
    step[0] === 1 && step[1] === 1 && top === bottom && left === right && 2 * top === kh && 2 * left === kw;
  if (isSame) return { ...all, padding: "SAME" };
  const padded: [number, number, number, number] = [
    input[0],
    input[1] + top + bottom,
    input[2] + left + right,
    input[3],
  ];
  return { ...all, padding: "VALID", padded: top + bottom + left + right === 0 ? input : padded };
}

function activate(x: tf.Tensor, activation?: string, weights?: tf.Tensor, alpha?: number): tf.Tensor {
  switch (activation) {
    case undefined:
    case "linear":
      return x;
    case "relu":
      return tf.relu(x);
    case "relu6":
      return tf.relu6(x);
    case "elu":
      return tf.elu(x);
    case "sigmoid":
      return tf.sigmoid(x);
    case "leakyrelu":
      return tf.leakyRelu(x, alpha);
    default:
      return tf.prelu(x, weights!);
  }
}

/** A kernel made of others: what it allocates besides its result is freed. */
function define(name: string, run: (backend: NodeBackend, inputs: Inputs, attrs: tf.NamedAttrMap) => tf.Tensor): void {
  if (tf.getKernel(name, "tensorflow")) tf.unregisterKernel(name, "tensorflow");
  tf.registerKernel({
    kernelName: name,
    backendName: "tensorflow",
    kernelFunc: ({ inputs, attrs, backend }) =>
      tf.tidy(() => run(backend as NodeBackend, inputs as Inputs, attrs ?? {})),
  });
}
