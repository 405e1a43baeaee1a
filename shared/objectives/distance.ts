// How far two images are apart, and what that counts at a noise level.

import * as tf from "@tensorflow/tfjs-core";
import { WEIGHTINGS, type WeightingName } from "../diffusion/consistency.ts";
import { meanFlat } from "../diffusion/likelihood.ts";
import { perSample, type Steps } from "../diffusion/prediction.ts";

type T = tf.Tensor;

const small = (x: T): T => tf.image.resizeBilinear(x as tf.Tensor4D, [32, 32], false, true);
const l2 = (a: T, b: T): T => meanFlat(tf.squaredDifference(a, b));

/** Means over elements, float32 [B]; l2-32 compares at 32 x 32 pixels. */
export const DISTANCES = {
  l1: (a, b) => meanFlat(tf.abs(tf.sub(a, b))),
  l2,
  "l2-32": (a, b) => l2(small(a), small(b)),
} satisfies Record<string, (a: T, b: T) => T>;

export type DistanceName = keyof typeof DISTANCES;

export interface Weighed {
  readonly distance: DistanceName;
  readonly weighting: WeightingName;
  readonly sigmaData: number;
}

/** lambda(sigma) d(a, b), float32 [B]. */
export function weighedDistance({ distance, weighting, sigmaData }: Weighed, sigma: Steps, a: T, b: T): T {
  return tf.mul(
    DISTANCES[distance](a, b),
    perSample((s) => WEIGHTINGS[weighting](s, sigmaData), sigma),
  );
}
