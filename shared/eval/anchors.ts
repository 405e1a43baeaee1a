// What bad images score: sets that are wrong in a known way, so that numbers of generated ones can be read.

import { bits, PURPOSE } from "../rng/stream.ts";

/** Uniform bytes. */
export const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from(bits({ seed, purpose: PURPOSE.canary, step: 1, index: 0 }, length), (word) => word & 255);

/** Every image with the label of the next: as good as real, and not what was asked for. */
export const shuffledLabels = (labels: Int32Array): Int32Array =>
  labels.map((_, i) => labels[(i + 1) % labels.length]!);

/** 1 4 6 4 1 along rows and columns: about a Gaussian of sigma 1 pixel. @param pixels uint8 [n, side, side, 1]. */
export const blurred = (pixels: Uint8Array, side: number): Uint8Array =>
  Uint8Array.from(along(along(Float32Array.from(pixels), side, 1), side, side), (v) => Math.round(v));

const WEIGHTS = [1, 4, 6, 4, 1];

/** One pass along one axis; what lies outside is as the edge. @param stride between neighbours: 1 or `side`. */
function along(values: Float32Array, side: number, stride: number): Float32Array {
  return Float32Array.from(values, (_, at) => {
    const position = Math.floor(at / stride) % side;
    let sum = 0;
    WEIGHTS.forEach((weight, k) => {
      const neighbour = Math.max(0, Math.min(side - 1, position + k - 2));
      sum += weight * values[at + (neighbour - position) * stride]!;
    });
    return sum / 16;
  });
}
