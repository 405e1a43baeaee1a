// An image moved by an affine map without aliasing, after Karras et al. 2020, "Training Generative Adversarial Networks with
// Limited Data", App. B, as EDM does it: mirrored on all sides, upsampled twice by a wavelet's filter, sampled between pixels,
// and downsampled by the same filter.

import type { Plane } from "./mirror.ts";

/** x' = a x + b y + c, y' = d x + e y + f: in pixels from the centre of an image, x to the right and y downwards. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** First `inner`, then `outer`. */
export function compose(outer: Affine, inner: Affine): Affine {
  const [a, b, c, d, e, f] = outer;
  const [A, B, C, D, E, F] = inner;
  return [a * A + b * D, a * B + b * E, a * C + b * F + c, d * A + e * D, d * B + e * E, d * C + e * F + f];
}

/** The low-pass filter of sym6, Daubechies' least asymmetric wavelet of six vanishing moments. */
const SYM6 = [
  0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
  0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
  0.0017677118642428036, -0.007800708325034148,
];
const TAPS = SYM6.length;
/** Pixels around an image that its own pixels are made of too. */
const RIM = TAPS / 4;

/** One channel: [rows, columns], row by row. */
interface Grid {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** @param rowOf called once a row. */
function grid(rows: number, columns: number, rowOf: (y: number) => (x: number) => number): Grid {
  const values = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    const value = rowOf(y);
    for (let x = 0; x < columns; x++) values[y * columns + x] = value(x);
  }
  return { rows, columns, values };
}

/** In place. @param image float32 [H, W, C]. @param back from where a pixel of the result stands to where it is taken. */
export function warp(image: Float32Array, { height, width, channels }: Plane, back: Affine): void {
  const { x: across, y: down } = reach(height, width, back);
  for (let c = 0; c < channels; c++) {
    const mirrored = grid(down.to - down.from, across.to - across.from, (y) => {
      const row = reflected(down.from + y, height) * width;
      return (x) => image[(row + reflected(across.from + x, width)) * channels + c]!;
    });
    const up = upsampled(upsampled(mirrored));
    const moved = grid(2 * height + 4 * RIM, 2 * width + 4 * RIM, (v) => (u) => {
      const { x, y } = sourceOf(v, u, height, width, back);
      return between(up, x - 2 * across.from, y - 2 * down.from);
    });
    const { values } = downsampled(downsampled(moved));
    for (let pixel = 0; pixel < height * width; pixel++) image[pixel * channels + c] = values[pixel]!;
  }
}

/** Where a sample of the result at twice the resolution, with a rim, is taken from the image at twice the resolution, mirrored on all sides. */
function sourceOf(v: number, u: number, height: number, width: number, [a, b, c, d, e, f]: Affine) {
  const x = (u + 1) / 2 - width / 2 - RIM;
  const y = (v + 1) / 2 - height / 2 - RIM;
  return { x: 2 * (a * x + b * y + c) + 3 * width - 3, y: 2 * (d * x + e * y + f) + 3 * height - 3 };
}

/** The part of the mirrored image, [from, to), of which the result is made: nothing else of it has to be computed. */
function reach(height: number, width: number, back: Affine) {
  const [last, end] = [2 * height + 4 * RIM - 1, 2 * width + 4 * RIM - 1];
  const corners = [0, last].flatMap((v) => [0, end].map((u) => sourceOf(v, u, height, width, back)));
  return {
    x: around(
      corners.map(({ x }) => x),
      3 * width - 2,
    ),
    y: around(
      corners.map(({ y }) => y),
      3 * height - 2,
    ),
  };
}

/** What of a row of n is in the samples at and between positions of it at twice the resolution. */
function around(positions: readonly number[], n: number) {
  const within = (k: number): number => Math.max(0, Math.min(n - 1, k));
  const from = within(Math.floor(Math.min(...positions) / 2) - 2 * RIM);
  return { from, to: within(Math.ceil(Math.max(...positions) / 2) + 2 * RIM) + 1 };
}

/** Where position k of a row that is mirrored on both sides comes from, in the row of n. */
function reflected(k: number, n: number): number {
  const from = Math.abs(k - (n - 1));
  return from < n ? from : 2 * (n - 1) - from;
}

/** Twice as many columns, transposed: u = sum over j of h(u + 5 - 2 j) of column j. */
function upsampled({ rows, columns, values }: Grid): Grid {
  return grid(2 * columns, rows, (u) => {
    const first = Math.max(0, Math.ceil((u - RIM * 2) / 2));
    const last = Math.min(columns - 1, Math.floor((u + RIM * 2 - 1) / 2));
    return (y) => {
      let sum = 0;
      for (let j = first; j <= last; j++) sum += SYM6[u + TAPS / 2 - 1 - 2 * j]! * values[y * columns + j]!;
      return sum;
    };
  });
}

/** Half as many columns without those of the rim, transposed. */
function downsampled({ rows, columns, values }: Grid): Grid {
  return grid(columns / 2 - 2 * RIM, rows, (i) => (y) => {
    let sum = 0;
    for (let k = 0; k < TAPS; k++) sum += SYM6[k]! * values[y * columns + 2 * i + k + 1]!;
    return sum;
  });
}

/** Bilinear; 0 beyond what is there. */
function between(up: Grid, x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, low] = [x - left, y - top];
  const above = at(up, top, left) * (1 - right) + at(up, top, left + 1) * right;
  const below = at(up, top + 1, left) * (1 - right) + at(up, top + 1, left + 1) * right;
  return above * (1 - low) + below * low;
}

const at = ({ rows, columns, values }: Grid, y: number, x: number): number =>
  y >= 0 && y < rows && x >= 0 && x < columns ? values[y * columns + x]! : 0;
