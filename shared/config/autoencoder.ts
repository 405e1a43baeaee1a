// A variational autoencoder, of Gaussians or of codes: a group of a job. Nothing of it is read by a job of another network, but for
// what a dalle must know of the codes that it draws.

import { z } from "zod";

const temperatureSchema = z.strictObject({
  from: z.number().positive().max(100).default(1).describe("tau at the first step"),
  to: z.number().positive().max(100).default(0.0625).describe("tau in the end"),
  steps: z.int().min(1).default(1000).describe("optimizer steps in which it falls, along half a cosine"),
});

export const autoencoderSchema = z.strictObject({
  latentChannels: z
    .int()
    .min(1)
    .max(1024)
    .default(4)
    .describe(
      "channels of z, whose height and width are those of the lowest level; of a dvae those of a code's embedding",
    ),
  beta: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe(
      "what the KL divergence counts beside the distortion: 1 is the bound, another a beta-VAE (Higgins et al. 2017)",
    ),
  betaSteps: z
    .int()
    .min(0)
    .default(0)
    .describe("optimizer steps in which beta grows from 0, along half a cosine; 0 for beta from the start"),
  codes: z
    .int()
    .min(2)
    .max(65_536)
    .default(128)
    .describe("K: entries of a dvae's codebook, which a dalle draws: of models.dvae's as many"),
  codeSide: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe("codes a side of the grid that a dalle draws: as many as models.dvae's lowest level has pixels"),
  temperature: temperatureSchema
    .prefault({})
    .describe("tau of a dvae's relaxed codes, by which gradients go through them (Gumbel-softmax: Jang et al. 2017)"),
});
