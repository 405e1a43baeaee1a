// Fresh parameters of a seed: each tensor from a stream of its own, so that a tensor's values do not depend on others.

import { normals, PURPOSE, type StreamKey, uniforms } from "../rng/stream.ts";
import type { Layout, PlacedTensor } from "../tensor/layout.ts";

/** The flat vector, padding 0: float32 [layout.size]. */
export function initialParameters(layout: Layout, seed: number): Float32Array {
  const flat = new Float32Array(layout.size);
  layout.tensors.forEach((tensor, index) => {
    flat.set(initialTensor(tensor, { seed, purpose: PURPOSE.init, step: 0, index }), tensor.offset);
  });
  return flat;
}

function initialTensor({ init, size }: PlacedTensor, key: StreamKey): Float32Array {
  switch (init.kind) {
    case "zeros":
      return new Float32Array(size);
    case "ones":
      return new Float32Array(size).fill(1);
    case "uniform":
      return Float32Array.from(uniforms(key, size), (u) => init.scale * (2 * u - 1));
    case "normal":
      return normals(key, size).map((z) => init.scale * z);
  }
}
