// Images as the noise that a deterministic sampler makes them of, and what lies between two of them: Song et al. 2021a (DDIM),
// Section 5.3 and 5.4; Song et al. 2021b, Section 4.3, by the probability flow.

import * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../invariant.ts";
import { exactAtan, exactSin } from "../rng/exact-math.ts";
import type { Task } from "./editor.ts";

/** At the spread of a standard normal, whatever the process. */
export const encoded: Task = async ({ x, way, onStep }) => {
  const { encode, prior } = await way();
  invariant(encode, "the sampler inverts");
  const z = await encode(x.clone(), onStep);
  const unit = tf.tidy(() => tf.div(z, prior));
  z.dispose();
  return unit;
};

/** @param eta noise on the way: 0 for the images that were encoded. */
export const decodedWith =
  (eta: number): Task =>
  async ({ x, way, noise, onStep }) => {
    const { walk, prior, steps } = await way(undefined, eta);
    return walk(
      tf.tidy(() => tf.mul(x, prior)),
      { part: [0, steps], noise, onStep },
    );
  };

export const decoded: Task = decodedWith(0);

/**
 * Along the great circle between two encodings: DDIM, Eq. 67. @param share 0 is a, 1 is b. float32 of any length each.
 */
export function slerp(a: Float32Array, b: Float32Array, share: number): Float32Array {
  const dot = (u: Float32Array, v: Float32Array) => u.reduce((sum, value, k) => sum + value * v[k]!, 0);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = arcCosine(Math.max(-1, Math.min(1, cosine)));
  const sine = exactSin(angle);
  // Along a straight line where there is no angle.
  const [u, v] =
    sine < 1e-6 ? [1 - share, share] : [exactSin((1 - share) * angle) / sine, exactSin(share * angle) / sine];
  return a.map((value, k) => u * value + v * b[k]!);
}

/** By the half angle. */
const arcCosine = (x: number): number => (x === -1 ? Math.PI : 2 * exactAtan(Math.sqrt((1 - x) / (1 + x))));
