// The bound on the log likelihood that is trained: Sohl-Dickstein et al. 2015, Eq. 14. Per dimension,
//   -log p(x_0) <= sum over t of KL(q(x_(t-1) | x_t, x_0) || p(x_(t-1) | x_t)) + H_q(x_1 | x_0) - H_q(x_T | x_0) + H_p(x_T).
// KL divergences are tensors, entropies numbers; both in nats. That of Gaussians is ../likelihood.ts.

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../../rng/exact-math.ts";
import type { Coefficients } from "../process.ts";
import { softplus } from "./binomial.ts";

type T = tf.Tensor;

/** KL(q || p) of each bit, by the logits of both. */
export function binomialDivergence(q: T, p: T): T {
  // Of whichever value q holds for the rarer: next to 1 a float32 has no digits left for a step's chance of a flip.
  const rarer = tf.sub(1, tf.mul(tf.cast(tf.greaterEqual(q, 0), "float32"), 2));
  const [ofQ, ofP] = [tf.mul(q, rarer), tf.mul(p, rarer)];
  return tf.add(tf.mul(tf.sigmoid(ofQ), tf.sub(ofQ, ofP)), tf.sub(softplus(ofP), softplus(ofQ)));
}

/** Of one dimension, in nats. */
export const gaussianEntropy = (variance: number): number => 0.5 * (1 + exactLog(2 * Math.PI) + exactLog(variance));

/** Of one bit, in nats. @param p its probability of 1, inside (0, 1). */
export const binomialEntropy = (p: number): number => -p * exactLog(p) - (1 - p) * exactLog(1 - p);

/** Of one dimension, in nats. */
export interface TrajectoryEntropies {
  /** H_q(x_1 | x_0). */
  readonly start: number;
  /** H_q(x_T | x_0). */
  readonly end: number;
  /** H_p(x_T). */
  readonly prior: number;
}

export const gaussianEntropies = ({ betas, alphasCumprod }: Coefficients): TrajectoryEntropies => ({
  start: gaussianEntropy(betas[0]!),
  end: gaussianEntropy(1 - alphasCumprod.at(-1)!),
  prior: gaussianEntropy(1),
});

export const binomialEntropies = ({ betas, alphasCumprod }: Coefficients): TrajectoryEntropies => ({
  start: binomialEntropy(betas[0]! / 2),
  end: binomialEntropy((1 - alphasCumprod.at(-1)!) / 2),
  prior: Math.LN2,
});

/**
 * The bound by one step of the trajectory, drawn evenly, less what the prior alone would need: how many bits a pixel
 * better than noise (negative), or worse. The step stands for all T, as in the authors' code, though one is not learned.
 * @param divergence float32 [B, H, W, C]. @returns float32 [B], bits a pixel: the mean over dimensions times C.
 */
export function excessBits(divergence: T, T: number, { start, end }: TrajectoryEntropies): T {
  const nats = tf.add(tf.mul(tf.mean(divergence, [1, 2, 3]), T), start - end);
  return tf.mul(nats, divergence.shape[3]! / Math.LN2);
}
