// The table of penalties on the discriminator's slope. A penalty's code loads TensorFlow.js; the table does not.

import type * as tf from "@tensorflow/tfjs-core";
import type { Critic } from "./penalties.ts";

/** A micro-batch of the discriminator: float32 [B, H, W, C]. */
interface Shown {
  readonly real: tf.Tensor;
  readonly fake: tf.Tensor;
  /** Uniform in [0, 1), float32 [B, 1, 1, 1]; asked for where it is read. */
  u(): tf.Tensor;
}

/** @returns a mean over the batch, float32 []. */
export type Penalty = (critic: Critic, shown: Shown, weight: number) => tf.Scalar;

interface PenaltyKind {
  readonly about: string;
  load(): Promise<Penalty | null>;
}

export const PENALTIES = {
  none: { about: "nothing", load: async () => null },
  r1: {
    about: "gamma / 2 |slope|^2 at real images, Mescheder et al. 2018",
    async load() {
      const { r1 } = await import("./penalties.ts");
      return (critic, { real }, gamma) => r1(critic, real, gamma);
    },
  },
  gradient: {
    about: "lambda (|slope| - 1)^2 between real and generated images, WGAN-GP, Gulrajani et al. 2017",
    async load() {
      const { gradientPenalty } = await import("./penalties.ts");
      return (critic, { real, fake, u }, lambda) => gradientPenalty(critic, real, fake, u(), lambda);
    },
  },
} satisfies Record<string, PenaltyKind>;
