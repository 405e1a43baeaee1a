// The loop that all walks share: it owns x and what a walk keeps between steps.

import * as tf from "@tensorflow/tfjs-core";
import type { Moment, Moments, SigmaDenoiser, Walk, WalkOptions } from "./sampler.ts";

/** Called after each step; may await to let others run, or throw to stop. */
export type OnStep = (done: number, total: number, x: tf.Tensor) => Promise<void> | void;

/**
 * @param x float32 [B, H, W, C] at sigmas[0], disposed. @returns x at the last sigma, float32 [B, H, W, C], the caller's to dispose.
 */
export function walkThrough(
  walk: Walk,
  denoise: SigmaDenoiser,
  x: tf.Tensor,
  sigmas: Float64Array,
  options: WalkOptions,
  onStep?: OnStep,
): Promise<tf.Tensor> {
  return drive(walk(denoise, x, sigmas, options), x, sigmas.length - 1, onStep);
}

/**
 * Runs a walk that begins at x to its end. @param x disposed. @param total `done` of it is exact for walks with fixed steps, the
 * share of the way for others. @returns its last x, the caller's to dispose.
 */
export async function drive(
  steps: Moments,
  x: tf.Tensor,
  total: number,
  onStep: OnStep = () => {},
): Promise<tf.Tensor> {
  let alive: readonly tf.Tensor[] = [x];
  let moment: Moment = { x };
  try {
    for (let done = 1; ; done++) {
      const read = (await moment.read?.data<"float32">()) ?? new Float32Array();
      let next: Moment | undefined;
      const made = tf.tidy(() => {
        const result = steps.next(read);
        next = result.done ? undefined : result.value;
        return next ? tensorsOf(next) : [];
      });
      if (!next) return moment.x;
      tf.dispose(alive.filter((tensor) => !made.includes(tensor)));
      alive = made;
      moment = next;
      const { progress } = moment;
      await onStep(progress === undefined ? done : Math.round(progress * total), total, moment.x);
    }
  } catch (error) {
    tf.dispose([...alive]);
    throw error;
  } finally {
    tf.dispose(alive.filter((tensor) => tensor !== moment.x));
  }
}

const tensorsOf = ({ x, kept = [], read }: Moment): tf.Tensor[] => [x, ...kept, ...(read ? [read] : [])];
