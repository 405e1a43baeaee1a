// Trains a small classifier of images from fresh weights: the judges, and those that tell by what they learn how good images
// are. Deterministic: the same bits at every run on a backend.

import * as tf from "@tensorflow/tfjs-core";
import type { ImageBatch } from "../data/image-set.ts";
import { openReducer } from "../kernels/open-reducer.ts";
import { initialParameters } from "../nn/init.ts";
import { createDeviceParams, inference, named } from "../pipeline/device-params.ts";
import { exactCos } from "../rng/exact-math.ts";
import { buildLayout, type Layout } from "../tensor/layout.ts";
import { judgeInput } from "./judge.ts";
import type { JudgeNetwork } from "./judge-network.ts";

export interface Lessons {
  /** Of the fresh weights. */
  readonly seed: number;
  readonly steps: number;
  /** The learning rate at first; it falls to 0 along a cosine. */
  readonly rate: number;
  /** Images of a step, with their labels. */
  read(step: number): ImageBatch | Promise<ImageBatch>;
  /** May await to let others run, or throw to stop. */
  onStep(step: number, loss: number): void | Promise<void>;
}

const ADAMW = { type: "adamw", beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, gradientScale: 1 } as const;

/** By AdamW. The backend must be open. @returns the weights: float32 [layout.size]. */
export async function learn(network: JudgeNetwork, lessons: Lessons): Promise<Float32Array> {
  const { seed, steps, rate, read, onStep } = lessons;
  const layout = buildLayout(network.params);
  await using reducer = await openReducer({ layout, optimizer: ADAMW.type, maxVectors: 1 });
  reducer.params.shard(0).set(initialParameters(layout, seed));
  for (const moment of Object.values(reducer.moments)) moment.shard(0).fill(0);
  const device = createDeviceParams(layout);
  const gradient = reducer.allocate();
  try {
    for (let step = 0; step < steps; step++) {
      device.load(reducer.params.shard(0));
      const loss = lossAndGradient(network, layout, device.tensors, await read(step), gradient.shard(0));
      const lr = rate * 0.5 * (1 + exactCos((Math.PI * step) / steps));
      await reducer.optimize(gradient, { ...ADAMW, lr, count: step + 1 });
      await onStep(step, loss);
    }
    return reducer.params.shard(0).slice();
  } finally {
    device.dispose();
  }
}

/** @param into the gradient, float32 [layout.size]. @returns the mean cross-entropy. */
function lossAndGradient(
  network: JudgeNetwork,
  layout: Layout,
  params: readonly tf.Tensor[],
  { pixels, labels }: ImageBatch,
  into: Float32Array,
): number {
  return tf.tidy(() => {
    const x = judgeInput(pixels);
    const { value, grads } = tf.valueAndGrads((...tensors) => {
      const { logits } = network.forward(inference(named(layout.tensors, tensors)), x);
      const wanted = tf.oneHot(tf.tensor1d(labels, "int32"), logits.shape[1]);
      return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), wanted), 1))) as tf.Scalar;
    })([...params]);
    into.fill(0);
    layout.tensors.forEach(({ offset }, i) => {
      into.set(grads[i]!.dataSync() as Float32Array, offset);
    });
    return value.dataSync()[0]!;
  });
}
