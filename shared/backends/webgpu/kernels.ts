// What plume replaces of the webgpu backend's kernels: those whose results are wrong, and sums of more rows than a
// dispatch may have. Each is made of kernels that are right; test/contract holds all of them against float64 loops.

import * as tf from "@tensorflow/tfjs-core";
import { defineKernel, type KernelInputs } from "../composed-kernel.ts";

const BACKEND = "webgpu";
type Shape4 = [number, number, number, number];

export function registerKernels(): void {
  // Wrong where one side is repeated along an axis of the batch.
  replace("BatchMatMul", ({ a, b }, attrs, original) => {
    const batch = tf.broadcast_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    const whole = (x: tf.Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
    // One matrix for all is the case that it does well.
    const one = (x: tf.Tensor) => x.shape.slice(0, -2).every((size) => size === 1);
    if (one(a!) || one(b!)) return original({ a: a!, b: b! }, attrs);
    return original({ a: whole(a!), b: whole(b!) }, attrs);
  });

  // A GPU's own are good to three or four digits near zero, and to none far from it.
  replace("Sin", ({ x }) => quarterWave(x!, 0));
  replace("Cos", ({ x }) => quarterWave(x!, 1));

  // Wrong where windows overlap or are padded.
  replace("AvgPoolGrad", ({ dy, input }, attrs) => {
    const { filterSize, strides, pad } = attrs as unknown as tf.AvgPoolGradAttrs;
    const [height, width] = Array.isArray(filterSize) ? filterSize : [filterSize, filterSize];
    const [, H, W, C] = input!.shape as Shape4;
    const window = tf.ones([height, width, 1, 1]) as tf.Tensor4D;
    // How many values a mean was taken of: those within the image.
    const count = tf.conv2d(tf.ones([1, H, W, 1]) as tf.Tensor4D, window, strides, pad);
    const filter = tf.mul(window, tf.reshape(tf.eye(C), [1, 1, C, C]));
    const shares = tf.div(dy!, count);
    return tf
      .engine()
      .runKernel(
        "Conv2DBackpropInput",
        { dy: shares, filter },
        { strides: strides as number, pad, dataFormat: "NHWC", inputShape: input!.shape },
      ) as tf.Tensor;
  });

  // Half-pixel centres are left out. Resizing is linear along each side: y = A x B', so dx = A' dy B.
  replace("ResizeBilinearGrad", ({ images, dy }, attrs, original) => {
    const { halfPixelCenters } = attrs as { halfPixelCenters?: boolean };
    if (!halfPixelCenters) return original({ images: images!, dy: dy! }, attrs);
    const [B, H, W, C] = images!.shape as Shape4;
    const [, h, w] = dy!.shape as Shape4;
    const rows = tf.matMul(repeated(weights(H, h), B), tf.reshape(dy!, [B, h, w * C]), true, false);
    const columns = tf.matMul(repeated(weights(W, w), B * H), tf.reshape(rows, [B * H, w, C]), true, false);
    return tf.reshape(columns, [B, H, W, C]);
  });

  // [..., C] -> [C]
  defineKernel(BACKEND, "PlumeColumnSums", ({ x }) => {
    let rows = tf.reshape(x!, [-1, x!.shape.at(-1)!]) as tf.Tensor2D;
    while (rows.shape[0] > 1) rows = foldRows(rows);
    return tf.reshape(rows, [-1]);
  });
  for (const name of ["Sum", "Mean"])
    replace(name, ({ x }, attrs, original) => {
      const { axis, keepDims } = attrs as { axis: number | number[]; keepDims?: boolean };
      const axes = tf.util.parseAxisParam(axis, x!.shape);
      if (axes.length < x!.rank || x!.size < MANY) return original({ x: x! }, attrs);
      const total = tf.engine().runKernel("PlumeColumnSums", { x: tf.reshape(x!, [-1, 1]) }) as tf.Tensor;
      const value = name === "Mean" ? tf.div(total, x!.size) : total;
      return tf.reshape(value, keepDims ? x!.shape.map(() => 1) : []);
    });
}

/** sin(x + quarters pi/2): reduced by quarters of a turn in three parts, then a polynomial (Cephes, sinf and cosf). */
function quarterWave(x: tf.Tensor, quarters: number): tf.Tensor {
  const n = tf.round(tf.mul(x, 2 / Math.PI));
  const parts = [1.5703125, 4.837512969970703e-4, 7.549789954891882e-8];
  const r = parts.reduce((rest, part) => tf.sub(rest, tf.mul(n, part)), x);
  const z = tf.square(r);
  const polynomial = (...coefficients: number[]) =>
    coefficients.reduce<tf.Tensor>((sum, c) => tf.add(tf.mul(sum, z), c), tf.zerosLike(z));
  const sine = tf.add(r, tf.mul(tf.mul(r, z), polynomial(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)));
  const cosine = tf.add(
    tf.sub(1, tf.mul(z, 0.5)),
    tf.mul(tf.square(z), polynomial(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)),
  );
  const quarter = tf.add(n, quarters);
  const phase = tf.sub(quarter, tf.mul(tf.floor(tf.div(quarter, 4)), 4)); // 0 to 3
  const even = tf.abs(tf.sub(tf.abs(tf.sub(phase, 2)), 1)); // 1, 0, 1, 0
  const wave = tf.add(tf.mul(sine, even), tf.mul(cosine, tf.sub(1, even)));
  return tf.where(tf.greaterEqual(phase, 2), tf.neg(wave), wave);
}

/** Of values in one sum, from which on float32 loses digits when one is added after another. */
const MANY = 2 ** 16;
const ROWS_AT_ONCE = 512;

/** Rows of the same sum, some hundred times fewer. */
function foldRows(rows: tf.Tensor2D): tf.Tensor2D {
  const [N, C] = rows.shape;
  const folds = Math.ceil(N / ROWS_AT_ONCE);
  const each = Math.ceil(N / folds);
  const padded = folds * each === N ? rows : tf.pad(rows, [[0, folds * each - N], [0, 0]]); // biome-ignore format: a matrix
  const sums = tf.matMul(tf.ones([folds, 1, each]), tf.reshape(padded, [folds, each, C]) as tf.Tensor3D);
  return tf.reshape(sums, [folds, C]) as tf.Tensor2D;
}

const repeated = (matrix: tf.Tensor2D, times: number) => tf.tile(tf.expandDims(matrix, 0), [times, 1, 1]);

/** float32 [to, from]: what each value of a resized line takes of the line, with half-pixel centres. */
function weights(from: number, to: number): tf.Tensor2D {
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(at), from - 1);
    const high = Math.min(low + 1, from - 1);
    matrix[i * from + low]! += 1 - (at - low);
    matrix[i * from + high]! += at - low;
  }
  return tf.tensor2d(matrix, [to, from]);
}

type Run = (inputs: KernelInputs, attrs: tf.NamedAttrMap) => tf.Tensor;

/** @param run gets the kernel that it replaces. */
function replace(name: string, run: (inputs: KernelInputs, attrs: tf.NamedAttrMap, original: Run) => tf.Tensor): void {
  const { kernelFunc } = tf.getKernel(name, BACKEND);
  const original: Run = (inputs, attrs) =>
    tf.engine().makeTensorFromTensorInfo(kernelFunc({ inputs, attrs, backend: tf.backend() }) as tf.TensorInfo);
  defineKernel(BACKEND, name, (inputs, attrs) => run(inputs, attrs, original));
}
