// The judge: a small classifier of real images, trained once and frozen. Its 64 features measure how far generated
// images are from real ones; its labels, whether they show what they were asked for.

import * as tf from "@tensorflow/tfjs-core";
import { silu } from "../nn/fused.ts";
import { conv2d, createScope, dense } from "../nn/layers.ts";
import type { Forward } from "../nn/network.ts";
import type { ParamSpec } from "../tensor/layout.ts";

export const JUDGE_FEATURES = 64;
export const JUDGE_SIDE = 28;
export const JUDGE_CLASSES = 10;

interface Judged {
  /** float32 [B, 64]. */
  readonly features: tf.Tensor2D;
  /** float32 [B, 10]. */
  readonly logits: tf.Tensor2D;
}

export interface JudgeNetwork {
  readonly params: readonly ParamSpec[];
  /** @param x float32 [B, 28, 28, 1] in [-1, 1]. */
  forward(f: Forward, x: tf.Tensor4D): Judged;
}

export function buildJudge(): JudgeNetwork {
  const scope = createScope();
  const conv1 = conv2d(scope.child("conv1"), 1, 16, 3, { stride: 2, pad: 1 }); // 14 x 14
  const conv2 = conv2d(scope.child("conv2"), 16, 32, 3, { stride: 2, pad: 1 }); // 7 x 7
  const conv3 = conv2d(scope.child("conv3"), 32, 32, 3);
  const hidden = dense(scope.child("hidden"), 7 * 7 * 32, JUDGE_FEATURES);
  const head = dense(scope.child("head"), JUDGE_FEATURES, JUDGE_CLASSES);
  return {
    params: scope.params,
    forward(f, x) {
      const h = silu(conv3(f, silu(conv2(f, silu(conv1(f, x))))));
      const features = silu(hidden(f, tf.reshape(h, [x.shape[0], 7 * 7 * 32]) as tf.Tensor2D));
      return { features, logits: head(f, features) };
    },
  };
}
