// The judges: two small classifiers of real images, trained once and frozen. The features of the one measure how far
// images are from real ones; the labels of the other, which has another architecture and another seed, say whether they
// show what they were asked for.

import * as tf from "@tensorflow/tfjs-core";
import { silu } from "../nn/fused.ts";
import { conv2d, createScope, dense, type Scope } from "../nn/layers.ts";
import type { Forward } from "../nn/network.ts";
import type { ParamSpec } from "../tensor/layout.ts";

const JUDGE_FEATURES = 64;
export const JUDGE_SIDE = 28;
export const JUDGE_CLASSES = 10;

interface Judged {
  /** What the last layer sees: float32 [B, F]. */
  readonly features: tf.Tensor2D;
  /** float32 [B, K]. */
  readonly logits: tf.Tensor2D;
}

export interface JudgeNetwork {
  readonly params: readonly ParamSpec[];
  /** @param x float32 [B, 28, 28, 1] in [-1, 1]. */
  forward(f: Forward, x: tf.Tensor4D): Judged;
}

interface JudgeDefinition {
  /** Safetensors, relative to the root. */
  readonly file: string;
  /** Of the committed file: numbers of another judge are not comparable. */
  readonly sha256: string;
  /** @param classes K: Fashion-MNIST's when absent. */
  build(classes?: number): JudgeNetwork;
}

export const JUDGES = {
  features: {
    file: "deploy/judge/fashion-mnist.safetensors",
    sha256: "3f2bde2b48ea885f02edfa50904f4beda35ceccde193d63042d5d23fb8773bdf",
    build: buildFeatureJudge,
  },
  labels: {
    file: "deploy/judge/fashion-mnist-labels.safetensors",
    sha256: "61159a5ac4c5fd6a3d3da1d8449d7a887b3cff3065ba38df92827d1a4615cf58",
    build: buildLabelJudge,
  },
} satisfies Record<string, JudgeDefinition>;

export type JudgeName = keyof typeof JUDGES;

/** Values an image of what the convolutions see: 7 x 7 places. */
const SEEN = 7 * 7 * 32;

/** x to float32 [B, SEEN], through so many channels. */
function convolutions(scope: Scope, first: number, second: number) {
  const conv1 = conv2d(scope.child("conv1"), 1, first, 3, { stride: 2, pad: 1 }); // 14 x 14
  const conv2 = conv2d(scope.child("conv2"), first, second, 3, { stride: 2, pad: 1 }); // 7 x 7
  const conv3 = conv2d(scope.child("conv3"), second, 32, 3);
  return (f: Forward, x: tf.Tensor4D): tf.Tensor2D => {
    const h = silu(conv3(f, silu(conv2(f, silu(conv1(f, x))))));
    return tf.reshape(h, [x.shape[0], SEEN]) as tf.Tensor2D;
  };
}

/** Features from a dense layer that sees where things are. */
function buildFeatureJudge(classes = JUDGE_CLASSES): JudgeNetwork {
  const scope = createScope();
  const sees = convolutions(scope, 16, 32);
  const hidden = dense(scope.child("hidden"), SEEN, JUDGE_FEATURES);
  const head = dense(scope.child("head"), JUDGE_FEATURES, classes);
  return {
    params: scope.params,
    forward(f, x) {
      const features = silu(hidden(f, sees(f, x)));
      return { features, logits: head(f, features) };
    },
  };
}

/** No hidden layer between what it sees where and its classes. */
function buildLabelJudge(classes = JUDGE_CLASSES): JudgeNetwork {
  const scope = createScope();
  const sees = convolutions(scope, 24, 48);
  const head = dense(scope.child("head"), SEEN, classes);
  return {
    params: scope.params,
    forward(f, x) {
      const features = sees(f, x);
      return { features, logits: head(f, features) };
    },
  };
}
