// The loop that all walks through sigma share: it owns x and what a walk keeps between steps.

import * as tf from "@tensorflow/tfjs-core";
import type { Moment, SigmaDenoiser, Walk, WalkOptions } from "./sampler.ts";

/**
 * @param x float32 [B, H, W, C] at sigmas[0], disposed. @param onStep after each step; may await to let others run, or throw to
 * stop. `done` of `total` is exact for walks with fixed steps, the share of the way for others.
 * @returns x at the last sigma, float32 [B, H, W, C], the caller's to dispose.
 */
export async function walkThrough(
  walk: Walk,
  denoise: SigmaDenoiser,
  x: tf.Tensor,
  sigmas: Float64Array,
  options: WalkOptions,
  onStep: (done: number, total: number, x: tf.Tensor) => Promise<void> | void = () => {},
): Promise<tf.Tensor> {
  const total = sigmas.length - 1;
  const steps = walk(denoise, x, sigmas, options);
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
