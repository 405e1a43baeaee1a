// The gradient of a classifier that was trained on noised images: Dhariwal and Nichol 2021, Sec. 4.1.

import * as tf from "@tensorflow/tfjs-core";
import { logLikelihood } from "../nn/log-likelihood.ts";

/**
 * grad log p(y | x_t) with respect to x_t, times the scale of the guidance: float32 as x_t. Called inside a tidy scope.
 * @param at what the sampler goes by: a step, sigma or time.
 */
export type ConditionalGradient = (x_t: tf.Tensor, at: number) => tf.Tensor;

/**
 * @param logits of the classifier at a step: float32 [B, ..., K]. @param labels the classes wanted, int32 [B], below K.
 * @param scale s of the gradient: above 1 it sharpens p(y | x_t).
 */
export function classifierGradient(
  logits: (x_t: tf.Tensor, step: number) => tf.Tensor,
  labels: tf.Tensor1D,
  scale: number | tf.Tensor,
): ConditionalGradient {
  return (x_t, step) => tf.mul(tf.grad((x) => tf.sum(logLikelihood(logits(x, step), labels)))(x_t), scale);
}
