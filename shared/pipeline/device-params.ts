// A flat vector as named tensors on the device. XNNPACK packs weights once for each tensor id, so new values always
// come as new tensors, never into old ones.

import * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../invariant.ts";
import type { Forward } from "../nn/network.ts";
import type { Layout } from "../tensor/layout.ts";

export interface DeviceParams {
  /** Replaces every value from a flat float32 [layout.size]. */
  load(flat: Float32Array): void;
  /** The tensors in layout order. */
  readonly tensors: readonly tf.Tensor[];
  get(name: string): tf.Tensor;
  dispose(): void;
}

export function createDeviceParams(layout: Layout): DeviceParams {
  let tensors: tf.Tensor[] = [];
  const index = new Map(layout.tensors.map((tensor, i) => [tensor.name, i]));
  const dispose = () => {
    for (const tensor of tensors) tensor.dispose();
    tensors = [];
  };
  return {
    load(flat) {
      dispose();
      // slice(): the tensor must not alias memory that will change.
      tensors = layout.tensors.map(({ offset, size, shape }) =>
        tf.keep(tf.tensor(flat.slice(offset, offset + size), [...shape], "float32")),
      );
    },
    get tensors() {
      return tensors;
    },
    get(name) {
      const tensor = tensors[index.get(name) ?? -1];
      invariant(tensor, `parameter ${name} is loaded`);
      return tensor;
    },
    dispose,
  };
}

/** The forward context for sampling: no dropout. */
export const inference = (params: DeviceParams): Forward => ({ param: (name) => params.get(name), dropout: (x) => x });
