// A variational autoencoder: a group of a job. Nothing of it is read by a job of another network.

import { z } from "zod";

export const autoencoderSchema = z.strictObject({
  latentChannels: z
    .int()
    .min(1)
    .max(1024)
    .default(4)
    .describe("channels of z, whose height and width are those of the lowest level"),
  beta: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe(
      "what the KL divergence counts beside the distortion: 1 is the bound, another a beta-VAE (Higgins et al. 2017)",
    ),
});
