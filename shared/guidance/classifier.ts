// The gradient of a classifier that was trained on noised images: Dhariwal and Nichol 2021, Sec. 4.1.

import * as tf from "@tensorflow/tfjs-core";

/** grad log p(y | x_t) with respect to x_t, times the scale of the guidance: float32 as x_t. Called inside a tidy scope. */
export type ConditionalGradient = (x_t: tf.Tensor, step: number) => tf.Tensor;

/**
 * @param logits of the classifier at a step: float32 [B, K]. @param labels the classes wanted, int32 [B], below K.
 * @param scale of the gradient: above 1 it sharpens p(y | x_t).
 */
export function classifierGradient(
  logits: (x_t: tf.Tensor, step: number) => tf.Tensor,
  labels: tf.Tensor1D,
  scale: number,
): ConditionalGradient {
  return (x_t, step) => {
    const logLikelihood = (x: tf.Tensor): tf.Scalar => {
      const logP = tf.logSoftmax(logits(x, step)); // [B, K]
      return tf.sum(tf.mul(logP, tf.oneHot(labels, logP.shape[1]!)));
    };
    return tf.mul(tf.grad(logLikelihood)(x_t), scale);
  };
}
