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

/** Parameters of a network in a recorded computation. @param tensors as many, in their order. */
export function named(params: readonly { readonly name: string }[], tensors: readonly tf.Tensor[]): Forward["param"] {
  const byName = new Map(params.map(({ name }, i) => [name, tensors[i]!]));
  return (name) => byName.get(name)!;
}

/** The forward context of whatever is not trained: no dropout. */
export const inference = (param: Forward["param"]): Forward => ({ param, dropout: (x) => x });
