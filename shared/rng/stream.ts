// Named streams of random numbers without hidden state: element k of a stream is a function of its key and k alone.
// The key says what the numbers are for; so any worker, on a retry or as a duplicate, draws the same ones.

import { cosKernel, exactLog, sinKernel } from "./exact-math.ts";
import { philox4x32 } from "./philox.ts";

/** What a stream is for. Numbers are part of the format of a run: add, never renumber. */
export const PURPOSE = {
  init: 1,
  order: 2,
  time: 3,
  noise: 4,
  labelDrop: 5,
  dropout: 6,
  flip: 7,
  sampleNoise: 8,
  sampleStep: 9,
  wire: 10,
  canary: 11,
  shapes: 12,
  dequantise: 13,
} as const;

export type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE];

export interface StreamKey {
  /** Whole, 0 to 2^53. */
  readonly seed: number;
  readonly purpose: Purpose;
  /** Optimizer step, epoch, or 0: uint32. */
  readonly step: number;
  /** Micro-batch, image or tensor: uint32. */
  readonly index: number;
}

const TWO_32 = 2 ** 32;

/** Words [from, from + n) of the stream: uint32. */
export function bits(key: StreamKey, n: number, from = 0): Uint32Array {
  const first = Math.floor(from / 4);
  const last = Math.ceil((from + n) / 4);
  const words = new Uint32Array((last - first) * 4);
  const k0 = key.seed % TWO_32 | 0;
  const k1 = Math.floor(key.seed / TWO_32) | 0;
  for (let block = first; block < last; block++)
    philox4x32(block | 0, key.index | 0, key.step | 0, key.purpose, k0, k1, words, (block - first) * 4);
  return words.subarray(from - first * 4, from - first * 4 + n);
}

/** Uniform in [0, 1), multiples of 2^-32: float64. */
export function uniforms(key: StreamKey, n: number, from = 0): Float64Array {
  return Float64Array.from(bits(key, n, from), (word) => word / TWO_32);
}

/** Whole numbers uniform in [0, bound), bound at most 2^21: from 53 bits, so the bias is below 2^-32. */
export function integers(key: StreamKey, n: number, bound: number): Int32Array {
  const words = bits(key, 2 * n);
  const out = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const fraction = (words[2 * i]! * 2 ** 21 + (words[2 * i + 1]! >>> 11)) / 2 ** 53;
    out[i] = Math.floor(fraction * bound);
  }
  return out;
}

/** Standard normals by Box and Muller (1958), computed in float64 and rounded to float32. */
export function normals(key: StreamKey, n: number, from = 0): Float32Array {
  const firstPair = Math.floor(from / 2);
  const pairs = Math.ceil((from + n) / 2) - firstPair;
  const words = bits(key, 2 * pairs, 2 * firstPair);
  const out = new Float32Array(2 * pairs);
  for (let i = 0; i < pairs; i++) {
    const radius = Math.sqrt(-2 * exactLog((words[2 * i]! + 1) / TWO_32));
    // The angle in quarter turns splits exactly into a quadrant and a rest of at most an eighth of a turn.
    const quarters = (words[2 * i + 1]! / TWO_32) * 4;
    const quadrant = Math.floor(quarters + 0.5);
    const rest = (quarters - quadrant) * (Math.PI / 2);
    const s = sinKernel(rest);
    const c = cosKernel(rest);
    const cos = quadrant % 4 === 0 ? c : quadrant === 1 ? -s : quadrant === 2 ? -c : s;
    const sin = quadrant % 4 === 0 ? s : quadrant === 1 ? c : quadrant === 2 ? -s : -c;
    out[2 * i] = radius * cos;
    out[2 * i + 1] = radius * sin;
  }
  return out.subarray(from - 2 * firstPair, from - 2 * firstPair + n);
}
