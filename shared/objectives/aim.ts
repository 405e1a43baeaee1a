import type * as tf from "@tensorflow/tfjs-core";
import type { LevelDenoiser } from "../diffusion/consistency.ts";
import { type Weighed, weighedDistance } from "./distance.ts";
import type { Aim } from "./objective.ts";
import { stopGradient } from "./stop-gradient.ts";

/** lambda(sigma) d(D(x; sigma), aim), float32 [B]: what objectives that aim at an image make small. */
export const aimedLoss = (weighed: Weighed, denoise: LevelDenoiser, { x, sigma, image }: Aim): tf.Tensor =>
  weighedDistance(weighed, sigma, denoise(x, sigma), stopGradient(image));
