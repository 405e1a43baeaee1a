// What bad images score: sets that are wrong in a known way, so that numbers of generated ones can be read.

import { filtered } from "../data/blur.ts";
import { bits, PURPOSE } from "../rng/stream.ts";

/** Uniform bytes. */
export const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from(bits({ seed, purpose: PURPOSE.canary, step: 1, index: 0 }, length), (word) => word & 255);

/** Every image with the label of the next: as good as real, and not what was asked for. */
export const shuffledLabels = (labels: Int32Array): Int32Array =>
  labels.map((_, i) => labels[(i + 1) % labels.length]!);

/** 1 4 6 4 1 along rows and columns: about a Gaussian of sigma 1 pixel. @param pixels uint8 [n, side, side, 1]. */
export const blurred = (pixels: Uint8Array, side: number): Uint8Array =>
  Uint8Array.from(
    filtered(Float32Array.from(pixels), { height: side, width: side, channels: 1 }, WEIGHTS, "edge"),
    (v) => Math.round(v),
  );

const WEIGHTS = [1, 4, 6, 4, 1].map((weight) => weight / 16);
