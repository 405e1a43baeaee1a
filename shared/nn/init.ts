// Fresh parameters of a seed: each tensor from a stream of its own, so that a tensor's values do not depend on the sizes
// of others. The same bits on every machine.

import { normals, PURPOSE, type StreamKey, uniforms } from "../rng/stream.ts";
import type { Init, Layout } from "../tensor/layout.ts";

/** The flat vector that training starts from, padding 0: float32 [layout.size]. */
export function initialParameters(layout: Layout, seed: number): Float32Array {
  const flat = new Float32Array(layout.size);
  layout.tensors.forEach(({ init, offset, size }, index) => {
    fill(flat.subarray(offset, offset + size), init, { seed, purpose: PURPOSE.init, step: 0, index });
  });
  return flat;
}

function fill(values: Float32Array, init: Init, key: StreamKey): void {
  switch (init.kind) {
    case "zeros":
      return;
    case "ones":
      values.fill(1);
      return;
    case "constant":
      values.fill(init.value);
      return;
    case "normal":
      inPieces(values, (from, piece) => {
        const z = normals(key, piece.length, from);
        for (let k = 0; k < piece.length; k++) piece[k] = init.scale * z[k]!;
      });
      return;
    case "uniform":
      inPieces(values, (from, piece) => {
        const u = uniforms(key, piece.length, from);
        for (let k = 0; k < piece.length; k++) piece[k] = init.scale * (2 * u[k]! - 1);
      });
      return;
    default:
      init satisfies never;
  }
}

/** Large tensors are drawn 64 Ki numbers at a time: no second copy of them in float64. */
const PIECE = 65536;

function inPieces(values: Float32Array, draw: (from: number, piece: Float32Array) => void): void {
  for (let from = 0; from < values.length; from += PIECE) draw(from, values.subarray(from, from + PIECE));
}
