// Two networks that play against each other: a group of a job. Nothing of it is read by a job of one network.

import { z } from "zod";
import { PENALTIES } from "../objectives/adversarial/index.ts";
import { listed, oneOf } from "./family.ts";

const probability = z.number().min(0).max(1);

export const adversarialSchema = z.strictObject({
  latent: z.int().min(1).max(4096).default(32).describe("numbers of z, the noise that the generator makes an image of"),
  spectralNorm: z
    .boolean()
    .default(false)
    .describe("divide each weight of the discriminator by its largest singular value (Miyato et al. 2018)"),
  discriminatorSteps: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe(
      "n: steps of the discriminator before one of the generator; each is a step of training, and its own alone",
    ),
  penalty: oneOf(PENALTIES)
    .default("none")
    .describe(`what the discriminator's slope costs: ${listed(PENALTIES)}`),
  penaltyWeight: z.number().positive().max(10_000).default(10).describe("gamma of r1, lambda of gradient"),
  labelSmoothing: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe("what the discriminator's target of real images lacks of 1, for minimax and non-saturating"),
  discriminator: z
    .strictObject({
      lr: z.number().positive().optional().describe("peak learning rate of the discriminator"),
      beta1: probability.optional().describe("its first-moment decay"),
      beta2: probability.optional().describe("its second-moment decay"),
    })
    .prefault({})
    .describe("the discriminator's optimizer, where it differs from training.optimizer"),
});
