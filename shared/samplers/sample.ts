// The loop that all samplers of a discrete process share, down to images and up from them.

import * as tf from "@tensorflow/tfjs-core";
import { type Denoiser, type InversionStep, partOf, type SampleOptions, type SamplerStep } from "./sampler.ts";

type OnStep = (done: number, total: number) => Promise<void> | void;

/**
 * Walks a process from its noisiest step to x_0, or a part of that way.
 * @param x_T float32 [B, H, W, C], disposed. @param onStep called after each step; may await to let others run, or throw
 * to stop. @returns x_0, float32 [B, H, W, C], the caller's to dispose.
 */
export function sample(
  step: SamplerStep,
  denoise: Denoiser,
  x_T: tf.Tensor,
  options: SampleOptions,
  onStep?: OnStep,
): Promise<tf.Tensor> {
  const { T } = options.process;
  const [from, to] = partOf(options, T);
  const steps = Array.from({ length: to - from }, (_, i) => T - 1 - from - i);
  return through(steps, x_T, (x, t) => step(denoise, x, t, options).x, onStep);
}

/**
 * Walks from images, taken for x at the least noise, to the noisiest step. The step beyond it, which leads to noise alone, is
 * none. @param x_0 float32 [B, H, W, C], disposed. @returns x_T, float32 [B, H, W, C], the caller's to dispose.
 */
export function invert(
  step: InversionStep,
  denoise: Denoiser,
  x_0: tf.Tensor,
  options: Parameters<InversionStep>[3],
  onStep?: OnStep,
): Promise<tf.Tensor> {
  const steps = Array.from({ length: options.process.T - 1 }, (_, t) => t);
  return through(steps, x_0, (x, t) => step(denoise, x, t, options).x, onStep);
}

/** Owns x between the steps; disposes everything else. */
async function through(
  steps: readonly number[],
  x: tf.Tensor,
  move: (x: tf.Tensor, t: number) => tf.Tensor,
  onStep: OnStep = () => {},
): Promise<tf.Tensor> {
  try {
    for (const [i, t] of steps.entries()) {
      const next = tf.tidy(() => move(x, t));
      x.dispose();
      x = next;
      await onStep(i + 1, steps.length);
    }
    return x;
  } catch (error) {
    x.dispose();
    throw error;
  }
}
