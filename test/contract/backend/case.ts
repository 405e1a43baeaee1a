// One operation that models use: as a backend is asked for it, as plain float64 loops do it, and inputs to try.

import * as tf from "@tensorflow/tfjs-core";
import { normals, PURPOSE } from "../../../shared/rng/stream.ts";
import type { Nd, Padding } from "./reference.ts";
import { sigmoid, sizeOf } from "./reference.ts";

export interface BackendCase {
  readonly title: string;
  readonly op: (...inputs: tf.Tensor[]) => tf.Tensor;
  readonly reference: (...inputs: Nd[]) => Nd;
  readonly inputs: () => tf.Tensor[];
}

let drawn = 0;
/** Standard normals, other ones at each call. */
export function random(...shape: number[]): tf.Tensor {
  const at = { seed: 11, purpose: PURPOSE.canary, step: 0, index: drawn++ };
  return tf.tensor(normals(at, sizeOf(shape)), shape);
}

export const even = (pad: number): Padding => [
  [pad, pad],
  [pad, pad],
];

export const siluOf = (v: number): number => v * sigmoid(v);
