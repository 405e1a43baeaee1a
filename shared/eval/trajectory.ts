// The whole bound of a chain on images (Sohl-Dickstein et al. 2015, Eq. 14): every step once, with given random numbers.

import * as tf from "@tensorflow/tfjs-core";
import type { Chain, Random } from "../diffusion/nonequilibrium/chain.ts";
import type { ReverseKernel } from "../samplers/sampler.ts";

export interface TrajectoryBound {
  /** At most so many bits an image needs, float64 [B]: -log2 p(x_0), of 8-bit values or of bits. */
  readonly bits: Float64Array;
  /** What the prior would need for each. */
  readonly prior: number;
}

export interface BoundOptions {
  /** Hides how the values of the images were rounded. */
  readonly dequantise: Random;
  /** Of each step. */
  readonly random: (step: number) => Random;
  /** Called after each step; may await to let others run, or throw to stop. */
  readonly onStep?: (done: number, total: number) => Promise<void> | void;
}

/** @param images in [-1, 1], float32 [B, H, W, C]; stays the caller's. */
export async function boundOfTrajectory(
  kernel: ReverseKernel,
  chain: Chain,
  images: tf.Tensor,
  { dequantise, random, onStep = () => {} }: BoundOptions,
): Promise<TrajectoryBound> {
  const { T, entropies, bin } = chain;
  const x0 = tf.tidy(() => chain.data(images, dequantise));
  let sum = tf.zeros([images.shape[0]!]) as tf.Tensor;
  try {
    for (let t = 1; t < T; t++) {
      const next = tf.tidy(() => {
        const divergence = kernel(chain.noised(x0, t, random(t)), t).divergence(x0);
        return tf.add(sum, tf.sum(divergence, [1, 2, 3]));
      });
      sum.dispose();
      sum = next;
      await onStep(t, T - 1);
    }
    const dims = images.size / images.shape[0]!;
    /** Of densities, bits of what one value covers. */
    const unit = dims * Math.log2(bin);
    const ends = dims * (entropies.start - entropies.end + entropies.prior);
    const nats = await sum.data<"float32">();
    return {
      bits: Float64Array.from(nats, (each) => (each + ends) / Math.LN2 - unit),
      prior: (dims * entropies.prior) / Math.LN2 - unit,
    };
  } finally {
    tf.dispose([x0, sum]);
  }
}
