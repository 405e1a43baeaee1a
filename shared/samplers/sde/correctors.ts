// Steps of Langevin dynamics at one time, which bring x nearer to p_t: Song et al. 2021, Section 4.2 and App. G.

import * as tf from "@tensorflow/tfjs-core";
import { at, type Steps } from "../../diffusion/prediction.ts";
import { type MakeRule, type Rule, spread } from "./update.ts";

type T = tf.Tensor;

interface LangevinOptions {
  /** r of the paper: signal to noise of a step. */
  readonly snr?: number;
  /** M: steps at one time. */
  readonly steps?: number;
}

/** Algorithms 4 and 5: 2 alpha (r |z| / |score|)^2. @param norms of each image, or score_sde's mean over the batch. */
export const langevin =
  ({
    snr = 0.16,
    steps = 1,
    norms = "image",
  }: LangevinOptions & { readonly norms?: "image" | "batch" } = {}): MakeRule =>
  ({ sde }, N) => {
    const size = norms === "image" ? norm : (x: T) => tf.mean(norm(x));
    return repeated(steps, sde.discrete(N).alpha, (score, z) => tf.square(tf.mul(tf.div(size(z), size(score)), snr)));
  };

/** Annealed Langevin dynamics, Song and Ermon 2019: 2 alpha (r sigma)^2. */
export const annealedLangevin =
  ({ snr = 0.16, steps = 1 }: LangevinOptions = {}): MakeRule =>
  ({ sde, level }, N) =>
    repeated(steps, sde.discrete(N).alpha, (_score, _z, t) =>
      tf.square(
        tf.mul(
          at((time: number) => level(time).sigma, t),
          snr,
        ),
      ),
    );

/** @param size of a step, but for its factor 2 alpha. */
const repeated =
  (steps: number, alpha: (t: number) => number, size: (score: T, z: T, t: Steps) => T): Rule =>
  ({ x, t, score, noise }) => {
    let update = { x, mean: x };
    for (let i = 0; i < steps; i++) {
      const [gradient, z] = [score(update.x), noise()];
      const epsilon = tf.mul(
        size(gradient, z, t),
        at((time: number) => 2 * alpha(time), t),
      );
      update = spread(tf.add(update.x, tf.mul(gradient, epsilon)), z, tf.sqrt(tf.mul(epsilon, 2)));
    }
    return update;
  };

/** Euclidean norm of each image: [B, 1, 1, 1]. */
const norm = (x: T): T => tf.sqrt(tf.sum(tf.square(x), [1, 2, 3], true));
