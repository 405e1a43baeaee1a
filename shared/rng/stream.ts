// Named streams of random numbers without hidden state: element k of a stream is a function of its key and k alone.
// The key says what the numbers are for, so any worker, on a retry or as a duplicate, draws the same ones.
//
// I1. Philox key = the seed's two words; counter = (block of four words, index, step, purpose). Streams never overlap.
// I2. A longer draw begins with the shorter one, and a draw that starts `from` further on equals its tail.

import { exactLog, sinOfQuarter } from "./exact-math.ts";
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
  audit: 14,
  punish: 15,
  editNoise: 16,
  editMask: 17,
  likelihoodNoise: 18,
  hutchinson: 19,
  lowResLevel: 20,
  lowResNoise: 21,
  sampleLowRes: 22,
  upsampleNoise: 23,
  upsampleStep: 24,
  fakeLabel: 25,
  lowResBlur: 26,
  augment: 30,
  embeddingDrop: 31,
  priorNoise: 32,
  priorStep: 33,
  /** Of models that know a density: what they draw to tell it, in training and of images that are measured. */
  evidence: 35,
  evidenceOfImage: 36,
  /** Of codes that are drawn one by one: of images, and of embeddings. */
  sampleCode: 37,
  priorCode: 38,
} as const;

export type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE];

export interface StreamKey {
  /** Whole, 0 to 2^53 - 1. */
  readonly seed: number;
  readonly purpose: Purpose;
  /** Optimizer step, epoch, or 0: uint32. */
  readonly step: number;
  /** Micro-batch, image or tensor: uint32. */
  readonly index: number;
}

const TWO_32 = 2 ** 32;

/** Words [from, from + n) of the stream: uint32 [n]. */
export function bits(key: StreamKey, n: number, from = 0): Uint32Array {
  const first = Math.floor(from / 4);
  const last = Math.ceil((from + n) / 4);
  const words = new Uint32Array((last - first) * 4);
  const { low, high } = seedWords(key.seed);
  for (let block = first; block < last; block++)
    philox4x32(block | 0, key.index | 0, key.step | 0, key.purpose, low, high, words, (block - first) * 4);
  return words.subarray(from - first * 4, from - first * 4 + n);
}

/** The two words of a Philox key, as int32. */
export function seedWords(seed: number): { readonly low: number; readonly high: number } {
  return { low: seed | 0, high: Math.floor(seed / TWO_32) | 0 };
}

/** Uniform in [0, 1), multiples of 2^-32: float64 [n]. */
export function uniforms(key: StreamKey, n: number, from = 0): Float64Array {
  return Float64Array.from(bits(key, n, from), (word) => word / TWO_32);
}

/**
 * Whole numbers uniform in [0, bound), without bias: words in the last, incomplete run of `bound` values are passed over.
 * int32 [n]. @throws RangeError unless bound is whole, 1 to 2^31.
 */
export function integers(key: StreamKey, n: number, bound: number): Int32Array {
  if (!(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 31))
    throw new RangeError(`integers below ${bound}: the bound must be whole, 1 to 2^31`);
  const limit = TWO_32 - (TWO_32 % bound);
  const out = new Int32Array(n);
  let filled = 0;
  for (let from = 0; filled < n; ) {
    const words = bits(key, n - filled, from);
    from += words.length;
    for (const word of words) if (word < limit) out[filled++] = word % bound;
  }
  return out;
}

/** What can be drawn from a stream, each from its beginning. */
export const drawsOf = (key: StreamKey) => ({
  uniforms: (n: number) => uniforms(key, n),
  normals: (n: number) => normals(key, n),
  integers: (n: number, bound: number) => integers(key, n, bound),
});

/** Standard normals by Box and Muller (1958), computed in float64 and rounded to float32 [n]; none beyond 6.67. */
export function normals(key: StreamKey, n: number, from = 0): Float32Array {
  const firstPair = Math.floor(from / 2);
  const pairs = Math.ceil((from + n) / 2) - firstPair;
  const words = bits(key, 2 * pairs, 2 * firstPair);
  const out = new Float32Array(2 * pairs);
  for (let i = 0; i < 2 * pairs; i += 2) {
    const radius = Math.sqrt(-2 * exactLog((words[i]! + 1) / TWO_32)); // of (0, 1], so never infinite
    // The angle in quarter turns splits exactly into a quadrant and a rest of at most an eighth of a turn.
    const quarters = words[i + 1]! / 2 ** 30;
    const quadrant = Math.floor(quarters + 0.5);
    const rest = (quarters - quadrant) * (Math.PI / 2);
    out[i] = radius * sinOfQuarter(quadrant + 1, rest);
    out[i + 1] = radius * sinOfQuarter(quadrant, rest);
  }
  return out.subarray(from - 2 * firstPair, from - 2 * firstPair + n);
}
