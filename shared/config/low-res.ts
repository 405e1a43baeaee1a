// What an upsampler is told of the image that it draws: a group of a job's model that a job may lack.

import { z } from "zod";

export const lowResSchema = z.strictObject({
  size: z
    .int()
    .min(1)
    .max(1024)
    .describe("height and width in pixels of the low-resolution image, which its base model draws"),
  blur: z
    .number()
    .min(0)
    .max(10)
    .default(0)
    .describe(
      "sigma in pixels of a Gaussian blur, 3 pixels wide, of half of the low-resolution images in training, as unCLIP's first upsampler has it; 0 for none",
    ),
  noise: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      "most s of conditioning augmentation: the low-resolution image is noised to a level drawn from 0 to it, which the network is told; 0 for none",
    ),
});

export type LowResFields = z.infer<typeof lowResSchema>;
