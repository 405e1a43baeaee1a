// The denoising objective with any weight: Karras et al. 2022, Eq. 2.

import * as tf from "@tensorflow/tfjs-core";
import type { LevelDenoiser } from "../diffusion/consistency.ts";
import { at, type Steps } from "../diffusion/prediction.ts";
import { DISTANCES, type Weighed, weighedDistance } from "./distance.ts";

type T = tf.Tensor;

/** @param x0 and eps float32 [B, H, W, C]. @returns the loss, and its distance as it is not weighted, float32 [B]. */
export function denoisingLoss(options: Weighed, denoise: LevelDenoiser, x0: T, eps: T, sigma: Steps) {
  const denoised = denoise(
    tf.add(
      x0,
      tf.mul(
        eps,
        at((s) => s, sigma),
      ),
    ),
    sigma,
  );
  return { loss: weighedDistance(options, sigma, denoised, x0), plain: DISTANCES[options.distance](denoised, x0) };
}
