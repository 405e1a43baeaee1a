// Operations that a backend may do in one kernel: a fused kernel where it is registered (Plume*), else plain ops with
// the same gradient. Networks call these and know nothing of backends.

import * as tf from "@tensorflow/tfjs-core";

type T = tf.Tensor;
type T4 = tf.Tensor4D;
type Saved = (tensors: T[]) => void;

const has = (kernel: string): boolean => tf.getKernel(kernel, tf.getBackend()) !== undefined;
const run = (kernel: string, inputs: Record<string, T>, attrs: tf.NamedAttrMap = {}): T =>
  tf.engine().runKernel(kernel, inputs, attrs) as T;
const runMany = (kernel: string, inputs: Record<string, T>, attrs: tf.NamedAttrMap): T[] =>
  tf.engine().runKernel(kernel, inputs, attrs) as unknown as T[];

/** Sums over all axes but the last: [..., C] -> [C]. Not differentiable: used inside gradients. */
export function columnSums(x: T): T {
  if (has("PlumeColumnSums")) return run("PlumeColumnSums", { x });
  const C = x.shape.at(-1)!;
  return tf.sum(tf.reshape(x, [x.size / C, C]), 0);
}

/** x sigmoid(x) (Ramachandran et al. 2017). */
export function silu<X extends T>(x: X): X {
  return tf.customGrad((input, save) => {
    const [v] = [input as T];
    (save as Saved)([v]);
    const value = has("PlumeSilu") ? run("PlumeSilu", { x: v }) : tf.mul(v, tf.sigmoid(v));
    const gradFunc = (dy: T, saved: T[]) => {
      const u = saved[0]!;
      if (has("PlumeSiluGrad")) return run("PlumeSiluGrad", { x: u, dy });
      const s = tf.sigmoid(u);
      return tf.mul(dy, tf.mul(s, tf.add(1, tf.mul(u, tf.sub(1, s)))));
    };
    return { value, gradFunc };
  })(x) as X;
}

export interface Conv2dOptions {
  readonly stride?: number;
  /** Explicit padding on all four sides, or TensorFlow's "same". */
  readonly pad: number | "same";
}

/** Convolution with bias: x [B,H,W,Ci], w [kh,kw,Ci,Co], b [Co] -> [B,H',W',Co]. */
export function conv2d(x: T4, w: T4, b: tf.Tensor1D, { stride = 1, pad }: Conv2dOptions): T4 {
  const padding =
    pad === "same"
      ? "same"
      : ([
          [0, 0],
          [pad, pad],
          [pad, pad],
          [0, 0],
        ] as const);
  const attrs = { strides: [stride, stride], pad: padding as never, dataFormat: "NHWC", dilations: [1, 1] };
  return tf.customGrad((xIn, wIn, bIn, save) => {
    const [input, filter, bias] = [xIn as T, wIn as T, bIn as T];
    (save as unknown as Saved)([input, filter]);
    const value = run("FusedConv2D", { x: input, filter, bias }, { ...attrs, activation: "linear" });
    const gradFunc = (dy: T, saved: T[]) => {
      const [u, v] = saved as [T, T];
      return [
        run("Conv2DBackpropInput", { dy, filter: v }, { ...attrs, inputShape: u.shape }),
        run("Conv2DBackpropFilter", { x: u, dy }, { ...attrs, filterShape: v.shape }),
        columnSums(dy),
      ];
    };
    return { value, gradFunc };
  })(x, w, b) as T4;
}

/** x [..., in] times w [in, out] plus b [out] -> [..., out]. */
export function dense(x: T, w: tf.Tensor2D, b: tf.Tensor1D): T {
  const [inner, outer] = w.shape;
  const N = x.size / inner;
  return tf.customGrad((xIn, wIn, bIn, save) => {
    const [input, weight, bias] = [xIn as T, wIn as T, bIn as T];
    (save as unknown as Saved)([input, weight]);
    const product = tf.add(tf.matMul(tf.reshape(input, [N, inner]), weight), bias);
    const value = tf.reshape(product, [...input.shape.slice(0, -1), outer]);
    const gradFunc = (dy: T, saved: T[]) => {
      const [u, v] = saved as [T, T];
      const dRows = tf.reshape(dy, [N, outer]);
      const dx = tf.reshape(tf.matMul(dRows, v, false, true), u.shape);
      return [dx, tf.matMul(tf.reshape(u, [N, inner]), dRows, true, false), columnSums(dRows)];
    };
    return { value, gradFunc };
  })(x, w, b);
}

export interface GroupNormOptions {
  readonly groups: number;
  readonly eps: number;
  readonly silu: boolean;
}

/**
 * Group normalization (Wu and He 2018), an affine map, and SiLU behind it if asked: y = f(gain xhat + offset), or with
 * `modulation` y = f((gain xhat + offset) (1 + scale) + shift), AdaGN (Dhariwal and Nichol 2021, Sec. 3.1).
 * x [B, ..., C]; gain and offset [C]; modulation [B, 2C]: scale | shift.
 */
export function groupNorm<X extends T>(
  x: X,
  gain: tf.Tensor1D,
  offset: tf.Tensor1D,
  modulation: tf.Tensor2D | null,
  options: GroupNormOptions,
): X {
  const { groups, eps, silu: withSilu } = options;
  if (!has("PlumeGroupNorm") || x.shape.at(-1)! % 4 !== 0)
    return composedGroupNorm(x, ...affineMap(gain, offset, modulation), options);
  const inputs: T[] = modulation ? [x, gain, offset, modulation] : [x, gain, offset];
  return tf.customGrad((...given) => {
    const save = given.pop() as unknown as Saved;
    const [input, g, o, m] = given as unknown as [T, T, T, T | undefined];
    const [a, b] = affineMap(g, o, m ?? null);
    const [value, stats] = runMany("PlumeGroupNorm", { x: input, a, b }, { groups, eps, silu: withSilu }) as [T, T];
    save(m ? [input, a, b, stats, g, o, m] : [input, a, b, stats]);
    const gradFunc = (dy: T, saved: T[]) => {
      const [u, p, q, s] = saved as [T, T, T, T];
      const attrs = { groups, silu: withSilu };
      const [dx, da, db] = runMany("PlumeGroupNormGrad", { dy, x: u, a: p, b: q, stats: s }, attrs) as [T, T, T];
      if (saved.length === 4) return [dx, columnSums(da), columnSums(db)];
      return [dx, ...modulationGradients(saved.slice(4) as [T, T, T], da, db)];
    };
    return { value, gradFunc };
  })(...inputs) as X;
}

/** y = a xhat + b with a, b [B or 1, C]: a = gain (1 + scale), b = offset (1 + scale) + shift. */
function affineMap(gain: T, offset: T, modulation: T | null): [a: tf.Tensor2D, b: tf.Tensor2D] {
  if (!modulation) return [tf.reshape(gain, [1, -1]), tf.reshape(offset, [1, -1])];
  const [scale, shift] = tf.split(modulation, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
  const factor = tf.add(scale, 1);
  return [tf.mul(gain, factor), tf.add(tf.mul(offset, factor), shift)];
}

/** From the gradients of a and b [B, C]: those of gain [C], offset [C] and modulation [B, 2C]. */
function modulationGradients([gain, offset, modulation]: [T, T, T], da: T, db: T): [T, T, T] {
  const factor = tf.add(tf.slice(modulation, [0, 0], da.shape as [number, number]), 1);
  const dScale = tf.add(tf.mul(da, gain), tf.mul(db, offset));
  return [columnSums(tf.mul(da, factor)), columnSums(tf.mul(db, factor)), tf.concat([dScale, db], 1)];
}

function composedGroupNorm<X extends T>(
  x: X,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  { groups, eps, silu: withSilu }: GroupNormOptions,
): X {
  const B = x.shape[0]!;
  const C = x.shape.at(-1)!;
  const grouped = tf.reshape(x, [B, x.size / (B * C), groups, C / groups]);
  const mean = tf.mean(grouped, [1, 3], true);
  const centred = tf.sub(grouped, mean);
  const variance = tf.mean(tf.square(centred), [1, 3], true);
  const normalised = tf.reshape(tf.mul(centred, tf.rsqrt(tf.add(variance, eps))), [B, x.size / (B * C), C]);
  const affine = tf.add(tf.mul(normalised, tf.expandDims(a, 1)), tf.expandDims(b, 1));
  const y = tf.reshape(affine, x.shape) as X;
  return withSilu ? silu(y) : y;
}

/** Nearest-neighbour upsampling by 2: [B,H,W,C] -> [B,2H,2W,C]. */
export function upsample2(x: T4): T4 {
  const [, H, W] = x.shape;
  if (!has("PlumeUpsample2")) return tf.image.resizeNearestNeighbor(x, [2 * H, 2 * W]);
  return tf.customGrad((input) => ({
    value: run("PlumeUpsample2", { x: input as T }),
    gradFunc: (dy: T) => run("PlumeDownsample2", { x: dy }, { factor: 1 }),
  }))(x) as T4;
}

/** Average pooling by 2: [B,2H,2W,C] -> [B,H,W,C]; an odd last row or column is dropped. */
export function downsample2(x: T4): T4 {
  const [, H, W] = x.shape;
  if (!has("PlumeDownsample2") || (H % 2) + (W % 2) > 0) return tf.avgPool(x, 2, 2, "valid");
  return tf.customGrad((input) => ({
    value: run("PlumeDownsample2", { x: input as T }, { factor: 0.25 }),
    gradFunc: (dy: T) => tf.mul(run("PlumeUpsample2", { x: dy }), 0.25),
  }))(x) as T4;
}
