// The loop that all samplers share.

import * as tf from "@tensorflow/tfjs-core";
import type { Denoiser, SampleOptions, SamplerStep } from "./sampler.ts";

/**
 * Walks a process from its noisiest step to x_0. Owns x between the steps; disposes everything else.
 * @param x_T float32 [B, H, W, C], disposed. @param onStep called after each step; may await to let others run, or throw
 * to stop. @returns x_0, float32 [B, H, W, C], the caller's to dispose.
 */
export async function sample(
  step: SamplerStep,
  denoise: Denoiser,
  x_T: tf.Tensor,
  options: SampleOptions,
  onStep: (done: number, total: number) => Promise<void> | void = () => {},
): Promise<tf.Tensor> {
  const { T } = options.process;
  let x = x_T;
  try {
    for (let t = T - 1; t >= 0; t--) {
      const next = tf.tidy(() => step(denoise, x, t, options).x);
      x.dispose();
      x = next;
      await onStep(T - t, T);
    }
    return x;
  } catch (error) {
    x.dispose();
    throw error;
  }
}
