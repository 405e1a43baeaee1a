import * as tf from "@tensorflow/tfjs-core";

/** log p(y | x) of a classifier's logits, float32 [B, ..., K], for labels int32 [B] below K: float32 [B], in nats. */
export function logLikelihood(logits: tf.Tensor, labels: tf.Tensor1D): tf.Tensor1D {
  const B = logits.shape[0]!;
  const K = logits.size / B;
  const logP = tf.logSoftmax(tf.reshape(logits, [B, K]));
  return tf.sum(tf.mul(logP, tf.oneHot(labels, K)), 1);
}
